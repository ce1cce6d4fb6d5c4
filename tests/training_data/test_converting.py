"""Formats that are recognized, what a target cannot hold, and what is refused with its line."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from phicli.errors import UsageError
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
    with pytest.raises(UsageError, match=r"x.jsonl:2: the format is not known; the keys are: a, b"):
        convert(b'\n{"a": 1, "b": 2}\n')
    with pytest.raises(UsageError, match="unknown format: xml"):
        ConvertOptions("xml")
    with pytest.raises(UsageError, match="unknown target: xml"):
        ConvertOptions(None, "xml")


def test_a_table_with_separators_quotes_and_line_breaks() -> None:
    table = '\ufeffid;Frage;Antwort\n1;"a ""b""; c";"line 1\nline 2"\n\n2;"ä";ö\n'
    made, result = convert(table.encode(), name="x.csv", columns=Columns("frage", "Antwort"), system="Be short.")
    assert result.source == "csv"
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


def test_a_table_that_is_wrong() -> None:
    with pytest.raises(UsageError, match="its columns are: a, b"):
        convert(b"a,b\n1,2\n", name="x.csv")
    with pytest.raises(UsageError, match=r"x.csv:3: the row has 3 cells, but there are 2 columns"):
        convert(b"question,answer\n1,2\n1,2,3\n", name="x.csv")
    with pytest.raises(UsageError, match="not UTF-8: byte 0xe4"):
        convert("question,answer\n1,ä\n".encode("latin-1"), name="x.csv")
    _, result = convert(b"question,answer\n1,2\n ,2\n", name="x.csv")
    assert (result.examples, result.left_out) == (1, 1)
    assert result.findings.kept()[0].line == 3


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (line(GOOD) + b'{"messages": [}\n', r"x.jsonl:2, column 15: not JSON: expecting value"),
        (b"[\n" + line(GOOD) + b",\n" + line(GOOD), r"x.jsonl:\d: the list is not closed"),
        (b"[\n" + line(GOOD) + line(GOOD) + b"]", r"x.jsonl:3: a comma is missing"),
        (line(GOOD) + b'{"messages": "\xe9"}\n', r"x.jsonl:2: not UTF-8: byte 0xe9"),
        (b"", "has no examples"),
        (b"[]", "has no examples"),
        (line(GOOD) + b'{"messages": ' + b"[" * 100_000, r"x.jsonl:2"),
    ],
)
def test_what_is_not_json_is_refused_with_its_line(data: bytes, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        convert(data)


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


@pytest.mark.parametrize("target", ["openai", "azure", "trl"])
def test_what_is_written_for_a_service_passes_its_check(target: str) -> None:
    examples = b"".join([*numbered(10), line(GOOD), line(WITH_TOOLS), line(OF_THE_CARD), line(THINKING)])
    parts: list[bytes] = []
    converting = Converting(ConvertOptions(None, target), parts.append)
    converting.convert(Source("x.jsonl", io.BytesIO(examples), None))
    report = checked(b"".join(parts), target)
    assert report.usable, report.findings.kept()
    assert not [one for one in report.findings.kept() if one.kind == "byte_order_mark"]
