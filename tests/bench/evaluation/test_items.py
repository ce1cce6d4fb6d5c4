"""Files of questions: what they may have in them, and what is said about what they may not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.make_evals import FOLDER, text_of
from phicli.bench.evaluation.items import SHIPPED, load_items, read_item, read_items
from phicli.errors import CheckFailedError, NotFoundError, UsageError

WRONG = "I am tiny-phi, e 17.5, and I know NOTHING\nof this " + "at all " * 12
GOOD = '{"question": "2 + 2?", "compare": "number", "answer": 4}'


def write(folder: Path, *lines: str, name: str = "mine.jsonl") -> str:
    path = folder / name
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


def refused(content: str | bytes) -> str:
    data = content.encode() if isinstance(content, str) else content
    with pytest.raises(CheckFailedError) as caught:
        read_items(data, "mine.jsonl")
    assert caught.value.hint
    return caught.value.message


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_sets_are_what_the_script_makes(name: str) -> None:
    assert (FOLDER / f"{name}.jsonl").read_bytes() == text_of(name).encode()


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_sets_have_fifty_questions_whose_examples_are_right(name: str) -> None:
    found = load_items(name)
    lines = [json.loads(line) for line in text_of(name).splitlines()]
    assert len(found.items) == len({item.question for item in found.items}) == 50
    for item, line in zip(found.items, lines, strict=True):
        assert item.judge(line["example"]).right
        assert not item.judge(WRONG).right
    assert len(found.sha256) == 64


def test_a_file_has_names_and_lines_in_order(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD, "", '{"id": 7, "question": "q", "compare": "exact", "answer": "a", "system": "s",'
                 ' "max_tokens": 5, "meta": {"x": [1]}}', "  ")  # fmt: skip
    first, second = load_items(path).items
    assert (first.item_id, second.item_id) == ("line-1", "7")
    assert (second.system, second.max_tokens) == ("s", 5)
    assert first.system is None


def test_ends_of_lines_and_the_mark_of_windows_are_read() -> None:
    assert len(read_items(b"\xef\xbb\xbf" + f"{GOOD}\r\n{GOOD}\r\n".encode(), "x")) == 2


def test_a_set_of_the_package_is_meant_unless_it_looks_like_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, GOOD, name="arithmetic")
    write(tmp_path, GOOD, name="arithmetic.jsonl")
    assert len(load_items("arithmetic").items) == 50
    assert len(load_items("./arithmetic").items) == 1
    assert len(load_items("arithmetic.jsonl").items) == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "it is not JSON"),
        ("[]", "it is not a JSON object"),
        ('{"question": NaN}', "NaN is not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"question": "q", "answer": "a"}', '"compare" is missing'),
        ('{"question": "q", "answer": "a", "compare": "like"}', "one of exact, number, regex, choice, json, checks"),
        ('{"question": "q", "answer": "a", "compare": ["exact"]}', '"compare" must be one of'),
        ('{"answer": "a", "compare": "exact"}', '"question" is missing'),
        ('{"question": " ", "answer": "a", "compare": "exact"}', "non-empty string"),
        ('{"question": "\\ud800", "answer": "a", "compare": "exact"}', "half of a character"),
        ('{"question": "q", "compare": "exact"}', '"answer" is missing'),
        ('{"question": "q", "answer": true, "compare": "exact"}', '"answer" must be a non-empty string'),
        ('{"question": "q", "answer": "4 apples", "compare": "number"}', '"answer" must be a number'),
        ('{"question": "q", "answer": "", "compare": "number"}', '"answer" must be a number'),
        ('{"question": "q", "answer": "nan", "compare": "number"}', '"answer" must be a number'),
        ('{"question": "q", "answer": true, "compare": "number"}', '"answer" must be a number'),
        ('{"question": "q", "answer": 4, "compare": "number", "tolerence": 1}', 'unknown field "tolerence"'),
        ('{"question": "q", "answer": 4, "compare": "number", "tolerance": -1}', "must not be negative"),
        ('{"question": "q", "answer": "(", "compare": "regex"}', "the pattern is not valid"),
        (json.dumps({"question": "q", "answer": "a" * 1001, "compare": "regex"}), "more than 1,000 characters"),
        ('{"question": "q", "answer": "a", "compare": "choice"}', '"choices" is missing'),
        ('{"question": "q", "answer": "C", "compare": "choice", "choices": ["a1", "b1"]}', "the letter or the text"),
        ('{"question": "q", "answer": "A", "compare": "choice", "choices": ["x", "X!"]}', "must differ"),
        (
            '{"question": "q", "answer": "A", "compare": "choice", "choices": ["b", "a"]}',
            "the letter of one choice and",
        ),
        ('{"question": "q", "compare": "json"}', '"answer" or "keys"'),
        ('{"question": "q", "compare": "json", "keys": {"a": "text"}}', '"a" must be one of string'),
        ('{"question": "q", "compare": "checks", "checks": []}', "a list of 1 to 20"),
        ('{"question": "q", "answer": "a", "compare": "exact", "max_tokens": 0}', "whole number from 1"),
        ('{"question": "q", "answer": "a", "compare": "exact", "id": ""}', '"id" must be'),
        ('{"question": "q", "answer": "a", "compare": "exact", "id": "a\\nb"}', '"id" must be one line'),
        ('{"question": "q", "answer": "a", "compare": "exact", "example": "b"}', 'the "example" does not pass'),
    ],
)
def test_a_bad_line_is_named_with_its_number_and_what_is_wrong(line: str, said: str) -> None:
    message = refused(f"{GOOD}\n\n{line}\n")
    assert message.startswith("mine.jsonl, line 3: ")
    assert said in message


def test_a_number_that_python_refuses_is_told_in_words() -> None:
    with pytest.raises(CheckFailedError, match="line 1: it has a number with thousands of digits"):
        read_items(b'{"question": "q", "compare": "number", "answer": ' + b"9" * 5000 + b"}", "test")


def test_an_id_that_comes_twice_is_refused() -> None:
    same = '{"id": "x", "question": "q", "compare": "exact", "answer": "a"}'
    assert refused(f"{same}\n{same}") == "mine.jsonl, line 2: the id 'x' is already used in line 1"
    assert "line 2" in refused(same.replace('"x"', '"line-2"') + "\n" + GOOD)


def test_files_that_are_none(tmp_path: Path) -> None:
    assert "no questions" in refused("")
    assert "no questions" in refused("\n \n")
    assert refused(f"{GOOD}\n".encode() + b'{"question": "\xff"}') == (
        "mine.jsonl, line 2: it is not UTF-8 text (byte 0xff)"
    )
    with pytest.raises(UsageError, match="is a folder"):
        load_items(str(tmp_path))
    (tmp_path / "q.csv").write_text("question,answer\nWhy?,So.\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"q\.csv is a table, not JSON Lines") as table:
        load_items(str(tmp_path / "q.csv"))
    assert f"phi data convert {tmp_path / 'q.csv'} -o {tmp_path / 'q.jsonl'}; then: --set" in table.value.hint
    with pytest.raises(UsageError, match="is empty"):
        load_items(" ")
    for name in (str(tmp_path / "none.jsonl"), "no-such-set", "a\0b.jsonl"):
        with pytest.raises(NotFoundError) as caught:
            load_items(name)
        assert "arithmetic" in caught.value.hint


def test_all_bad_lines_are_named_at_once() -> None:
    message = refused("\n".join([GOOD, "{", GOOD, "x", '{"question": "q"}']))
    assert message.startswith("mine.jsonl, line 2: it is not JSON")
    assert message.endswith("(also invalid: lines 4, 5)")
    assert refused("x\n" * 20).endswith("(also invalid: lines 2, 3, 4, 5, 6, 7, 8, 9, …)")


@pytest.mark.parametrize("content", [f"[{GOOD}, {GOOD}]", f"[\n{GOOD},\n{GOOD}\n]"])
def test_a_file_that_is_one_list_says_how_to_make_lines_of_it(content: str) -> None:
    with pytest.raises(CheckFailedError, match="each line must be one object, not a list") as caught:
        read_items(content.encode(), "mine.json")
    assert "jq -c '.[]' mine.json" in caught.value.hint


def test_a_name_that_is_nearly_that_of_a_set() -> None:
    with pytest.raises(NotFoundError) as caught:
        load_items("Arithmatic")
    assert caught.value.hint == "did you mean arithmetic?"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [('"4"', "4"), ('" 1,200 "', "1200"), ('"-3.50"', "-3.50"), ('"$5"', "5"), ("4", "4"), ("2.5", "2.5")],
)
def test_a_number_may_be_written_as_a_string(answer: str, expected: str) -> None:
    item = read_item(f'{{"question": "q", "compare": "number", "answer": {answer}}}', 1)
    assert item.rule.expected == expected
    assert item.judge(f"It is {expected}.").right


@pytest.mark.parametrize(("answer", "expected"), [("4", "4"), ("4.50", "4.50"), ('["four", 4]', "four or 4")])
def test_an_exact_answer_may_be_a_number(answer: str, expected: str) -> None:
    item = read_item(f'{{"question": "q", "compare": "exact", "answer": {answer}}}', 1)
    assert item.rule.expected == expected
    assert item.judge(" 4.50 " if answer == "4.50" else "4").right
