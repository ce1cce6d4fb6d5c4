"""Files that nobody means to write: every fault is named with its line, once, and what is right is still converted."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from phicli.errors import CheckFailedError, UsageError
from phicli.training_data.decoding import DEEPEST
from phicli.training_data.lines import LONGEST_LINE_BYTES
from phicli.training_data.outputs import Outputs
from phicli.training_data.source import Source, opened, typed_name
from phicli.training_data.splitting import SplitOptions, split
from tests.training_data.examples import DECLARED, GOOD, WITH_TOOLS, called, checked, errors, line, numbered
from tests.training_data.test_converting import ANSWER, QUESTION, convert

MIXED = [
    (b"5 apples", 3, "more text stands behind the JSON"),
    (b'"a" b', 5, "more text stands behind the JSON"),
    (b'{"a": 1} x', 10, "more text stands behind the JSON"),
    (b'{"messages": []} }', 18, "more text stands behind the JSON"),
    (line(GOOD)[:-1] + b" // the first", len(line(GOOD)) + 1, "more text stands behind the JSON"),
    (line(GOOD)[:-1] + b", x", len(line(GOOD)), "several examples stand on one line"),
    (b"[1, 2] x", 8, "more text stands behind the JSON"),
    (b"null null", 6, "more text stands behind the JSON"),
]


@pytest.mark.parametrize(("content", "column", "says"), MIXED, ids=range(len(MIXED)))
def test_a_broken_line_that_begins_with_a_value_counts_once(content: bytes, column: int, says: str) -> None:
    lines = numbered(3)
    for before in (b"", lines[0]) if content[:1] != b"[" else (lines[0],):  # a file may be one list
        data = before + content + b"\n" + lines[1] + content
        made, result = convert(data)
        where = 1 + bool(before)
        found = [(one.line, one.column, one.message.removeprefix("left out: ")) for one in result.findings.kept()]
        assert found == [(where, column, says), (where + 2, column, says)]
        assert (len(made), result.left_out) == (where, 2)
        report = checked(data)
        assert [(one.line, one.column, one.message) for one in errors(report)] == found


def test_scalars_in_front_of_the_examples_are_left_out() -> None:
    made, result = convert(b"null\n" + line(GOOD) + b"5\ntrue\n")
    assert (len(made), [one.line for one in result.findings.kept()]) == (1, [1, 3, 4])
    with pytest.raises(CheckFailedError, match=r"x\.jsonl:2: it is not an object"):
        convert(b"\n5\n6\n")


def test_several_examples_on_a_line_are_read_also_behind_many_spaces() -> None:
    one = line(GOOD)[:-1]
    made, result = convert(one + one + b", " + one + b" " * 600_000 + one + b"," + b" " * 600_000 + b"\n" + one)
    assert (len(made), result.left_out) == (5, 0)


def test_old_line_ends_lose_no_line_behind_a_wrong_one() -> None:
    lines = numbered(4)
    made, result = convert((lines[0] + b"{]\n" + lines[1] + b'{"a": 1} x\n' + lines[2]).replace(b"\n", b"\r"))
    assert (len(made), [one.line for one in result.findings.kept()]) == (3, [2, 4])


def key_of(nested: str) -> bytes:
    return line({**GOOD, "own": "HERE"}).replace(b'"HERE"', nested[1:-1].encode())


def text_of_tools(nested: str) -> bytes:
    tool = {"name": "f", "description": "d", "parameters": {"a": {"type": "str", "x": "HERE"}}}
    tools = json.dumps([tool]).replace('"HERE"', nested[4:-4])
    return line({"messages": [{"role": "system", "content": "s", "tools": tools}, QUESTION, ANSWER]})


def text_of_arguments(nested: str) -> bytes:
    talk = [one.copy() for one in WITH_TOOLS["messages"]]
    talk[1]["tool_calls"] = [called(arguments=f'{{"city": {nested[1:-1]}}}')]
    return line({"messages": talk, "tools": DECLARED})


@pytest.mark.parametrize("example", [key_of, text_of_tools, text_of_arguments], ids=["key", "tools", "arguments"])
def test_the_same_number_of_levels_everywhere(example: Callable[[str], bytes]) -> None:
    """Python's own limit depends on how deep the program is in its functions, so none of these must come near it."""

    def made(levels: int) -> bytes:
        return example("[" * levels + "]" * levels)

    assert not errors(checked(made(DEEPEST), own_keys=("own",)))
    for levels in (DEEPEST + 1, 800, 850, 900, 940, 980, 5_000):
        data = line(GOOD) + made(levels)
        assert {one.line for one in errors(checked(data, own_keys=("own",)))} == {2}
        for target in ("messages", "openai", "trl", "sharegpt", "alpaca", "csv"):
            _, result = convert(data, target)
            assert result.examples == 1
            assert {one.line for one in result.findings.kept() if one.severity == "error"} == {2}


def test_many_brackets_beside_each_other_are_not_deep() -> None:
    talk = line({"messages": [{**QUESTION, "content": "[{"}, ANSWER] * 300})
    assert not errors(checked(talk))
    assert convert(talk)[1].examples == 1


NUMBERS = {"1e999": "the number 1e999 is too large", "-1E400": "too large", "9" * 5_000: "thousands of digits",
           "NaN": "NaN is not a JSON value", "-Infinity": "-Infinity is not a JSON value"}  # fmt: skip


@pytest.mark.parametrize("number", NUMBERS, ids=range(len(NUMBERS)))
@pytest.mark.parametrize("indent", [None, 1])
def test_numbers_that_are_none_are_not_written(number: str, indent: int | None) -> None:
    text = json.dumps({**GOOD, "score": 7.25}, indent=indent).replace("7.25", number)
    made, result = convert(line(GOOD) + text.encode() + b"\n" + line(GOOD))
    assert len(made) == 2
    assert [(one.line, NUMBERS[number] in one.message) for one in result.findings.kept()] == [(2, True)]
    if indent is None:
        found = errors(checked(numbered(1)[0] + text.encode(), own_keys=("score",)))
        assert [(one.line, NUMBERS[number] in one.message) for one in found] == [(2, True)]


TWICE = [
    b'{"messages": [], ' + line(GOOD)[1:],
    b'{"group": 1, ' + line({**GOOD, "group": 2})[1:],
    b'{"tools": [], ' + line(WITH_TOOLS)[1:],
    line(GOOD).replace(b'{"role": "user"', b'{"role": "user", "role": "user"'),
    line(GOOD).replace(b'"messages"', b'"messages": 1, "messages"'),
]


@pytest.mark.parametrize("example", TWICE, ids=range(len(TWICE)))
def test_a_key_twice_is_never_dropped_in_silence(example: bytes) -> None:
    made, result = convert(line({**GOOD, "n": 1}) + example)
    assert (len(made), [(one.line, one.kind) for one in result.findings.kept()]) == (1, [(2, "repeated_key")])
    found = errors(checked(numbered(1)[0] + example, own_keys=("group",)))
    assert [(one.line, one.kind) for one in found] == [(2, "repeated_key")]


def test_a_key_twice_in_a_pair() -> None:
    found = errors(checked(b'{"prompt": "a", "prompt": "b", "completion": "c"}\n', "trl"))
    assert [one.kind for one in found] == ["repeated_key"]


def test_text_that_is_not_in_the_encoding_that_was_named() -> None:
    for name in ("x.jsonl", "x.csv"):
        with pytest.raises(CheckFailedError, match=f"{name}:1: not UTF-16: .* BOM"):
            convert(line(GOOD), name=name, encoding="utf-16")
    with pytest.raises(CheckFailedError, match=r"x\.csv:3: not CP1252: byte 0x81") as caught:
        convert(b"question,answer\na,b\nc,\x81\n", name="x.csv", encoding="cp1252")
    assert "--input-encoding" in caught.value.hint


def test_tables_that_nobody_means_to_write() -> None:
    made, result = convert(b'\n\r\nquestion,answer\n1,2\n\n3,"open\n5,6\n7,8\n', name="x.csv")
    assert len(made) == 1
    (found,) = result.findings.kept()
    assert (found.line, "2 lines below would be inside its text" in found.message) == (6, True)
    with pytest.raises(CheckFailedError, match=r"x\.csv:1: 2 columns are called 'answer'"):
        convert(b"question,answer,answer\n1,2,3\n", name="x.csv")
    for empty in (b"", b"\n\n"):
        with pytest.raises(CheckFailedError, match="has no examples"):
            convert(empty, name="x.csv")
    long = b"question,answer\n" + b"a" * (LONGEST_LINE_BYTES + 1)
    with pytest.raises(CheckFailedError, match=r"x\.csv:2: at most 16\.0 MiB are read of a line"):
        convert(long, name="x.csv")


def test_the_file_that_is_read_is_never_replaced(tmp_path: Path) -> None:
    path, link, hard = tmp_path / "a", tmp_path / "link", tmp_path / "hard"
    path.write_bytes(b"".join(numbered(9)))
    link.symlink_to(path)
    hard.hardlink_to(path)
    with opened(str(path)) as source:
        for same in (path, link, hard):
            with pytest.raises(UsageError, match="cannot be written while it is read"):
                source.require_other(same)
        source.require_other(tmp_path / "other")
        with pytest.raises(UsageError, match="while it is read"):
            split(source, tmp_path / "t", hard, SplitOptions(), force=True)


def test_a_file_that_comes_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new.jsonl"

    def write() -> None:
        with Outputs((path,), force=False) as outputs:
            outputs.write(0, b"mine")
            path.write_bytes(b"of somebody else")

    with pytest.raises(UsageError, match="already exists"):
        write()
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"of somebody else", [path])


class Changing(io.BytesIO):
    """A file that has other content when it is read again."""

    def __init__(self, data: bytes, later: bytes) -> None:
        super().__init__(data)
        self._later = later

    def fileno(self) -> int:
        raise OSError

    def seek(self, place: int, whence: int = 0) -> int:
        super().seek(0)
        self.truncate()
        self.write(self._later)
        return super().seek(place, whence)


@pytest.mark.parametrize("count", [3, 8, 13])
def test_a_file_that_changes_while_it_is_read_is_not_split(tmp_path: Path, count: int) -> None:
    file = Changing(b"".join(numbered(9)), b"".join(numbered(count)))
    with pytest.raises(CheckFailedError, match="was changed while it was read"):
        split(Source("x", file, 1), tmp_path / "t", tmp_path / "v", SplitOptions(), force=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "typed"),
    [("a.jsonl", "a.jsonl"), ("my file", "'my file'"), ("-a", "./-a"), ("standard input", "FILE"), ("a\nb", "FILE")],
)
def test_hints_name_files_as_they_are_typed(name: str, typed: str) -> None:
    assert typed_name(name) == typed
