"""The benchmark of schemas and tools: how the times are taken."""

from __future__ import annotations

import pytest

from benchmarks.structured import Times, Way, declared_tools, measured


def test_both_sides_are_asked_in_turn_and_the_first_round_is_left_out() -> None:
    asked: list[str] = []

    def side(name: str) -> int:
        asked.append(name)
        return 3

    ways = [Way(name, lambda name=name: side(f"{name} engine"), lambda name=name: side(f"{name} phi")) for name in "ab"]  # type: ignore[misc]
    times = measured(ways, rounds=4)
    assert [(len(took.engine), len(took.phi)) for took in times.values()] == [(4, 4), (4, 4)]
    assert asked[:3] == ["b engine", "b engine", "b phi"]
    assert asked[12:15] == ["b engine", "b phi", "b engine"]


def test_sides_that_do_different_work_are_not_compared() -> None:
    with pytest.raises(RuntimeError, match="a: 4 tokens, and 3 before"):
        measured([Way("a", lambda: 3, lambda: 4)], rounds=1)


def test_the_own_time_is_the_median_of_the_differences() -> None:
    assert Times([10.0, 20.0, 30.0], [11.0, 29.0, 32.0]).own_ms == 2.0


def test_tools_have_different_names() -> None:
    assert len({tool.name for tool in declared_tools(20)}) == 20
