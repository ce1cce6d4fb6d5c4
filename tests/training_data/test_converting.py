"""Formats that are recognized, what a target cannot hold, and what is refused with its line."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from phicli.errors import CheckFailedError, UsageError
from phicli.training_data.convert_result import Converted
from phicli.training_data.converting import Converting, ConvertOptions
from phicli.training_data.source import Source
from phicli.training_data.tables import NO_COLUMNS, Columns
from tests.training_data.examples import GOOD, OF_THE_CARD, THINKING, WITH_TOOLS, checked, line, numbered

QUESTION, ANSWER = {"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}


def convert(
    data: bytes, target: str = "messages", source_format: str | None = None, *, name: str = "x.jsonl",
    columns: Columns = NO_COLUMNS, system: str | None = None, encoding: str = "utf-8",
) -> tuple[list[Any], Converted]:  # fmt: skip
    parts: list[bytes] = []
    options = ConvertOptions(source_format, target, columns, system, encoding, None)
    converting = Converting(options, parts.append)
    converting.convert(Source(name, io.BytesIO(data), len(data)))
    text = b"".join(parts).decode("utf-8-sig")
    return [json.loads(one) for one in text.splitlines()] if target != "csv" else [text], converting.result(None)


@pytest.mark.parametrize(
    ("example", "kind", "messages"),
    [
        ({"instruction": "Q", "input": "", "output": "A"}, "alpaca", [QUESTION, ANSWER]),
        ({"instruction": "Add", "input": "1 2", "output": "3"}, "alpaca",
         [{"role": "user", "content": "Add\n1 2"}, {"role": "assistant", "content": "3"}]),
        ({"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]}, "sharegpt",
         [QUESTION, ANSWER]),
        ({"conversations": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]}, "sharegpt",
         [QUESTION, ANSWER]),
        ({"prompt": "Q", "completion": "A"}, "prompt-completion", [QUESTION, ANSWER]),
        ({"question": "Q", "answer": "A"}, "prompt-completion", [QUESTION, ANSWER]),
        ({"prompt": [QUESTION, ANSWER, QUESTION], "completion": [ANSWER]}, "prompt-completion",
         [QUESTION, {**ANSWER, "weight": 0}, QUESTION, ANSWER]),
        ({"messages": [QUESTION, ANSWER]}, "messages", [QUESTION, ANSWER]),
        ({"name": "trip", "model": "phi-4", "messages": [{**QUESTION, "attachments": [{"name": "a.txt", "text": "T"}]},
          {**ANSWER, "facts": {"model": "phi-4"}}, {"role": "user", "content": "not answered"}]}, "session",
         [{"role": "user", "content": "File a.txt:\n<file>\nT\n</file>\n\nQ"}, ANSWER]),
        ([QUESTION, ANSWER], "messages", [QUESTION, ANSWER]),
    ],
)  # fmt: skip
def test_the_format_is_recognized(example: Any, kind: str, messages: list[Any]) -> None:
    made, result = convert(json.dumps(example).encode())
    assert (made, result.source) == ([{"messages": messages}], kind)


def test_an_unknown_format_is_refused_with_its_keys() -> None:
    with pytest.raises(CheckFailedError, match=r"x.jsonl:2: the format is not known; the keys are: a, b"):
        convert(b'\n{"a": 1, "b": 2}\n')
    with pytest.raises(UsageError, match="unknown format: xml"):
        ConvertOptions("xml")
    with pytest.raises(UsageError, match="unknown target: xml"):
        ConvertOptions(None, "xml")


def test_a_table_with_separators_quotes_and_line_breaks() -> None:
    table = '\ufeffid;Frage;Antwort\n1;"a ""b""; c";"line 1\nline 2"\n\n2;"ä";ö\n'
    made, result = convert(table.encode(), name="x.csv", columns=Columns("frage", "Antwort"), system="Be short.")
    assert result.source == "csv"
    lost = [(one.severity, one.kind, one.line, one.message) for one in result.findings.kept()]
    assert lost == [("warning", "lost", 1, "1 column not converted: id")]
    assert made[0]["messages"] == [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": 'a "b"; c'},
        {"role": "assistant", "content": "line 1\nline 2"},
    ]
    assert made[1]["messages"][1]["content"] == "ä"
    latin, _ = convert(
        table[1:].encode("latin-1"), name="x.csv", columns=Columns("Frage", "Antwort"), encoding="latin-1"
    )
    assert latin[1]["messages"][0]["content"] == "ä"


def test_a_carriage_return_in_a_text_leaves_a_table_that_can_be_read() -> None:
    example = {"messages": [{"role": "user", "content": "a\rb"}, {"role": "assistant", "content": "c\rd"}]}
    (text,), _ = convert(json.dumps(example).encode() + b"\n", target="csv")
    assert [*csv.reader(io.StringIO(text, newline=""), strict=True)][1] == ["", "a\rb", "c\rd"]


def test_a_table_that_is_wrong() -> None:
    with pytest.raises(UsageError, match="its columns are: a, b"):
        convert(b"a,b\n1,2\n", name="x.csv")
    with pytest.raises(CheckFailedError, match=r"x.csv:2: not UTF-8: byte 0xe4"):
        convert("question,answer\n1,ä\n".encode("latin-1"), name="x.csv")
    with pytest.raises(UsageError, match="--user and --assistant must be given together"):
        convert(b"a,b\n1,2\n", name="x.csv", columns=Columns("a"))
    with pytest.raises(UsageError, match="has no column 'bb'; its columns are: a, b") as caught:
        convert(b"a,b\n1,2\n", name="x.csv", columns=Columns("a", "bb"))
    assert caught.value.hint == "did you mean b?"


def test_rows_that_are_wrong_are_left_out_with_their_lines() -> None:
    table = b'question,answer\n1,2\n ,2\n1,2,3\n"a"b,c\n5\n"6\n7",8\n9,"open\n10,11\n'
    made, result = convert(table, name="x.csv")
    assert [one["messages"][0]["content"] for one in made] == ["1", "6\n7"]
    assert all(one.severity == "error" for one in result.findings.kept())
    assert (result.examples, result.left_out) == (2, 5)
    lines = {one.line: one.message for one in result.findings.kept()}
    assert list(lines) == [3, 4, 5, 6, 9]
    assert "the row has 3 cells, but there are 2 columns" in lines[4]
    assert "a quote is not closed" in lines[9]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"[\n" + line(GOOD) + b",\n" + line(GOOD), r"x.jsonl:\d: the list is not closed"),
        (b"[\n" + line(GOOD) + line(GOOD) + b"]", r"x.jsonl:3: a comma is missing"),
        (b"", "has no examples"),
        (b"[]", "has no examples"),
        (b"[\n" + line(GOOD) + b",\n" + b'{"messages": [}]', r"x.jsonl:4, column 15: not JSON"),
        (b"[" + line(GOOD) + b"]\n" + line(GOOD), r"x.jsonl:3: more text stands behind the list"),
        (b"one\ntwo\n", r"x.jsonl:1, column 1: not JSON"),
        (b'{"role": "user", "content": "a"}\n{"role"\n', r"x.jsonl:2, column 8: "),
        (b"\x1f\x8b\x08", "x.jsonl:1"),
    ],
)
def test_what_is_not_json_is_refused_with_its_line(data: bytes, says: str) -> None:
    with pytest.raises(CheckFailedError, match=says):
        convert(data)


BAD_LINES: list[tuple[bytes, str, int, str]] = [
    (b'{"messages": [1,]}', "json", 17, "a comma stands in front of ]"),
    (b'{"messages": [}', "json", 15, "expecting value"),
    (b"not json", "json", 1, "expecting value"),
    (b'{"messages": [{"role": "user"}', "json", 31, "the line ends before its JSON does"),
    (b'  {"messages": "open', "json", 16, "a text is not closed on this line"),
    (b"{'messages': []}", "json", 2, "single quotes"),
    (b'{"messages": NaN}', "json", 0, "NaN is not a JSON value"),
    (b'{"messages": ' + b"[" * 100_000, "json", 0, "nested too deeply"),
    (b'{"messages": "\xe9"}', "encoding", 15, "byte 0xe9, which Latin-1 has for \u00e9"),
    (b'{"messages": \xff', "encoding", 14, "byte 0xff"),
    (b'{"messages": []} }', "json", 18, "more text stands behind the JSON"),
    (b'{"messages": [' + b'"x", ' * 4_000_000 + b"]}", "line_too_long", 0, "an example is too long"),
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD_LINES, ids=range(len(BAD_LINES)))
def test_what_is_not_json_is_left_out_with_its_line(bad: tuple[bytes, str, int, str]) -> None:
    content, kind, column, says = bad
    made, result = convert(numbered(2)[0] + content + b"\n" + numbered(2)[1] + content + b"\n" + line(GOOD))
    found = [one for one in result.findings.kept() if one.kind == kind]
    assert [one.line for one in found] == [2, 4]
    assert all(says in one.message for one in found)
    assert {one.column for one in found} == {column}
    assert len(made) >= 3


def test_all_lines_that_are_not_json_are_reported_also_the_first_and_the_last() -> None:
    contents = [content for content, kind, _, _ in BAD_LINES if kind != "line_too_long"]
    data = b"".join(content + b"\n" + good for content, good in zip(contents, numbered(len(contents)), strict=True))
    made, result = convert(data + b"[1, 2\n" + line(GOOD) + b'{"messages"')
    assert len(made) == len(contents) + 1
    last = 2 * len(contents)
    assert sorted({one.line for one in result.findings.kept()}) == [*range(1, last, 2), last + 1, last + 3]


def test_objects_over_several_lines_go_on_behind_one_that_is_wrong() -> None:
    good = json.dumps({"messages": [QUESTION, ANSWER]}, indent=2).encode() + b"\n"
    made, result = convert(good + good.replace(b'"Q"', b'"Q" "Q"') + good)
    assert len(made) == 2
    lines = good.count(b"\n")
    assert [one.line for one in result.findings.kept()] == [lines + 1]
    assert f"not JSON in line {lines + 5}, column " in result.findings.kept()[0].message
    made, result = convert(good.replace(b'"A"', b'"\xe9"') + good)
    assert (len(made), result.findings.kept()[0].line) == (1, 1)
    assert (
        f"byte 0xe9, which Latin-1 has for \u00e9, in line {lines - 3}, column 19" in result.findings.kept()[0].message
    )


@pytest.mark.parametrize("indent", [b"", b"  ", b"\t"])
def test_no_line_behind_a_wrong_one_is_lost(indent: bytes) -> None:
    lines = [indent + one for one in numbered(6)]
    lines[1] = lines[1][:-3] + b"\n"
    lines[3] = b"x" + lines[3]
    made, result = convert(b"".join(lines))
    assert (len(made), [one.line for one in result.findings.kept()]) == (4, [2, 4])


def test_lines_that_are_lists_of_messages() -> None:
    made, result = convert(line([QUESTION, ANSWER]) + line([QUESTION]) + b"{]\n" + line([QUESTION, ANSWER]))
    assert (len(made), [one.line for one in result.findings.kept()]) == (2, [2, 3])


def test_a_byte_that_is_cut_between_two_parts_is_read() -> None:
    text = "\u00e4" * 300_000
    made, result = convert(line({"messages": [{"role": "user", "content": text}, ANSWER]}))
    assert (made[0]["messages"][0]["content"], result.left_out) == (text, 0)


@pytest.mark.parametrize(
    ("start", "encoding", "says", "hint"),
    [
        (b"\x1f\x8b\x08\x00", "utf-8", "x.jsonl is compressed by gzip", "gunzip --keep x.jsonl"),
        (b"PK\x03\x04", "latin-1", "a ZIP archive", "save it as CSV"),
        ("{}".encode("utf-16"), "utf-8", "UTF-16 text", "--input-encoding utf-16"),
        (b"{\0}\0{\0}\0", "utf-8", "UTF-16 text without a mark", "--input-encoding utf-16-le -o NEW.jsonl"),
        (b"\0{\0}\0{\0}", "utf-8", "UTF-16 text without a mark", "--input-encoding utf-16-be -o NEW.jsonl"),
        ("{}".encode("utf-32"), "utf-8", "UTF-32 text", "--input-encoding utf-32"),
        ("{}".encode("utf-32-le"), "utf-8", "UTF-32 text without a mark", "--input-encoding utf-32-le"),
        (b"\x7fELF" + bytes(60), "latin-1", "x.jsonl is not text", "name a file of JSON Lines"),
    ],
)
def test_other_files_are_named(start: bytes, encoding: str, says: str, hint: str) -> None:
    source = Source("x.jsonl", io.BufferedReader(io.BytesIO(start)), None)  # type: ignore[type-var]
    with pytest.raises(CheckFailedError, match=says) as caught:
        Converting(ConvertOptions(None, encoding=encoding), lambda data: None).convert(source)
    assert hint in caught.value.hint


def test_utf_16_is_read_where_it_is_named() -> None:
    source = Source("x.jsonl", io.BufferedReader(io.BytesIO(line(GOOD).decode().encode("utf-16"))), None)  # type: ignore[type-var]
    parts: list[bytes] = []
    Converting(ConvertOptions(None, encoding="utf-16"), parts.append).convert(source)
    assert json.loads(parts[0]) == GOOD


def test_an_example_that_is_wrong_is_left_out_with_its_line() -> None:
    made, result = convert(line(GOOD) + line({"messages": []}) + b"5\n" + line({"messages": [ANSWER]}) + line(GOOD))
    assert (len(made), result.examples, result.left_out) == (2, 2, 3)
    assert [one.line for one in result.findings.kept()] == [2, 3, 4]


def test_half_a_character_is_left_out() -> None:
    broken = b'{"messages": [{"role": "user", "content": "\\ud83d"}, {"role": "assistant", "content": "a"}]}\n'
    _, result = convert(line(GOOD) + broken)
    assert [(one.line, "surrogate" in one.message) for one in result.findings.kept()] == [(2, True)]


@pytest.mark.parametrize(
    ("target", "example", "lost", "left_out"),
    [
        ("openai", THINKING, ["messages[3].reasoning_content"], 0),
        ("sharegpt", {"messages": [QUESTION, {**ANSWER, "weight": 0}, QUESTION, ANSWER]}, ["messages[1].weight"], 0),
        ("alpaca", WITH_TOOLS, [], 1),
        ("csv", {"messages": [QUESTION, ANSWER, QUESTION, ANSWER]}, [], 1),
        ("csv", {"messages": [{**QUESTION, "name": "Ann"}, ANSWER]}, ["messages[0].name"], 0),
        ("trl", THINKING, [], 0),
    ],
)
def test_what_a_target_cannot_hold_is_said(target: str, example: Any, lost: list[str], left_out: int) -> None:
    _, result = convert(line(GOOD) + line(example), target)
    found = result.findings.kept()
    assert [(one.line, one.place) for one in found if one.kind == "lost"] == [(2, place) for place in lost]
    assert (result.left_out, {one.line for one in found} <= {2}) == (left_out, True)


@pytest.mark.parametrize("target", ["openai", "azure", "trl", "sharegpt", "alpaca", "csv"])
def test_keys_of_a_person_are_not_lost_without_a_word(target: str) -> None:
    example = {"messages": [{**QUESTION, "mood": "good"}, ANSWER], "group": 7}
    made, result = convert(line(example), target)
    assert sorted((one.place, one.kind) for one in result.findings.kept()) == [
        ("group", "lost"),
        ("messages[0].mood", "lost"),
    ]
    assert "mood" not in str(made)
    kept, result = convert(line(example))
    assert (kept, result.findings.kept()) == ([example], [])


@pytest.mark.parametrize("target", ["openai", "azure", "trl"])
def test_what_is_written_for_a_service_passes_its_check(target: str) -> None:
    examples = b"".join([*numbered(10), line(GOOD), line(WITH_TOOLS), line(OF_THE_CARD), line(THINKING)])
    parts: list[bytes] = []
    converting = Converting(ConvertOptions(None, target), parts.append)
    converting.convert(Source("x.jsonl", io.BytesIO(examples), None))
    report = checked(b"".join(parts), target)
    assert report.usable, report.findings.kept()
    assert not [one for one in report.findings.kept() if one.kind == "byte_order_mark"]
