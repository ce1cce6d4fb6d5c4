"""What comparisons have in common: taking turns, and rows of a table."""

from __future__ import annotations

import pytest

from benchmarks.comparison import Beginning, Goal, Row, head, in_turn, three_digits


def test_every_second_round_goes_through_the_sides_backward_and_the_first_is_not_counted() -> None:
    calls: list[str] = []

    def side(name: str) -> int:
        calls.append(name)
        return len(calls)

    found = in_turn(2, {name: lambda name=name: side(name) for name in "abc"})
    assert "".join(calls) == "cba" + "abc" + "cba"
    assert found == {"a": [4, 9], "b": [5, 8], "c": [6, 7]}


def test_without_warming_up_the_first_round_counts() -> None:
    assert in_turn(1, {"a": lambda: "x"}, warm=False) == {"a": ["x"]}


def test_a_row_has_medians_their_ends_and_the_ratio_of_the_medians() -> None:
    row = Row("start", [1.0, 3.0, 2.0], [4.0, 4.0, 100.0], "s", Goal("≤ 0.6 x", "≤ 0.5 x"))
    assert row.ratio == 0.5
    assert row.markdown() == (
        "| start | 2.00 s (1.00 to 3.00) | 4.00 s (4.00 to 100) | **0.50 x** | ≤ 0.6 x | ≤ 0.5 x |"
    )


def test_more_cells_stand_in_front_of_the_goal_in_head_and_row() -> None:
    names, line = head("ours", "theirs", "interval").splitlines()
    row = Row("start", [1.0], [2.0], "s", Goal("≤ 1 x")).markdown("0.4 to 0.6")
    assert names == "| | ours | theirs | ratio | interval | target | moonshot |"
    assert names.count("|") == line.count("|") == row.count("|")
    assert "| 0.4 to 0.6 | ≤ 1 x |" in row


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1234"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (0.1234, "0.123")]
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert three_digits(value) == text


@pytest.mark.process
def test_conditions_name_the_machine_the_versions_and_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/somewhere/benchmarks/native.py", "--model", "/home/a/a b.gguf", "--runs", "5"])
    lines = list(Beginning.now().conditions(["5 rounds"]))
    assert lines[0].startswith("- Machine: ")
    assert lines[1].startswith("- Load average ")
    assert "xllamacpp" in lines[2]
    assert lines[3:] == ["- 5 rounds", "- Command: `python -m benchmarks.native --model 'a b.gguf' --runs 5`"]
