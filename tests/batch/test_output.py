"""Results as lines of JSON and as records of a table."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from phicli.batch.formats import Layout
from phicli.batch.output import Output, output_of
from phicli.batch.results import PlainResults, tokens_in, was_cut_off
from phicli.batch.scan import Scan
from phicli.batch.types import Row
from phicli.chat_format.types import ToolCall
from phicli.errors import EngineError, UsageError
from phicli.structured.form import Form, SchemaForm
from tests.batch.scripted import answer

RESULTS = PlainResults()


def scan_of(*keys: str) -> Scan:
    return Scan("00", 1, 0, keys, most_bytes=1)


def table(keys: tuple[str, ...], form: Form | None = None, *, tools: bool = False, name: str = "o.csv") -> Output:
    return output_of(Path(name), Layout("csv", columns=keys), scan_of(*keys), form, tools=tools)


def records(output: Output, *lines: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO((output.head() + b"".join(lines)).decode("utf-8-sig"), newline="")))


def schema(**properties: Any) -> SchemaForm:
    return SchemaForm({"type": "object", "properties": properties})


def test_a_line_of_json_has_the_whole_result() -> None:
    output = output_of(Path("o.jsonl"), Layout("jsonl"), scan_of("id"), None, tools=False)
    row = Row(4, 7, {"prompt": "x", "id": "ä"})
    call = ToolCall("look", {"at": "x"})
    line = output.line(None, RESULTS.answered(row, [answer("a\u2028b", parsed={"k": 1}, tool_calls=(call,))], "m"))
    assert line.endswith(b"\n")
    assert b"\xe2\x80\xa8" not in line
    assert json.loads(line) == {
        "id": "ä", "text": "a\u2028b", "parsed": {"k": 1}, "tool_calls": [{"name": "look", "arguments": {"at": "x"}}],
        "reasoning": "", "finish_reason": "stop", "model": "m", "error": None,
        "usage": {"prompt_tokens": 10, "completion_tokens": 3, "cached_tokens": 4, "reasoning_tokens": 0},
    }  # fmt: skip
    failed = json.loads(output.line(None, RESULTS.failed(Row(4, 7, {}), EngineError("it broke"))))
    assert (failed["id"], failed["text"], failed["error"]) == (7, None, {"code": "engine", "message": "it broke"})
    assert failed.keys() == json.loads(line).keys()


def test_a_table_has_its_columns_and_one_for_each_property() -> None:
    output = table(("id", "note"), schema(sum={}, parts={}, ok={}, none={}))
    row = Row(0, 2, {"id": "1", "note": '=HYPERLINK("x"), "y"\r\nz'})
    value = {"sum": 1.50, "parts": ["ä", {"b": None}], "ok": True, "none": None}
    head, line = records(output, output.line(row, RESULTS.answered(row, [answer("{}", parsed=value)], "m")))
    assert head == ["id", "note", "sum", "parts", "ok", "none", "finish_reason", "error"]
    assert line == ["1", '=HYPERLINK("x"), "y"\r\nz', "1.5", '["ä", {"b": null}]', "true", "", "stop", ""]


def test_a_record_that_failed_has_its_columns_and_the_reason() -> None:
    output = table(("name",), schema(capital={}))
    row = Row(0, 2, {"name": "France"})
    _, line = records(output, output.line(row, RESULTS.failed(row, EngineError("it broke"))))
    assert line == ["France", "", "", "it broke"]


def test_columns_of_the_answer_do_not_hide_those_of_the_input() -> None:
    output = table(("text", "error", "answer_text"))
    row = Row(0, 2, {"text": "in", "error": "old", "answer_text": "x"})
    head, line = records(output, output.line(row, RESULTS.answered(row, [answer("out")], "m")))
    assert head == ["text", "error", "answer_text", "answer_answer_text", "finish_reason", "answer_error"]
    assert line == ["in", "old", "x", "out", "stop", ""]


@pytest.mark.parametrize(
    ("form", "columns"),
    [
        (None, ["text"]),
        (SchemaForm({"type": "array"}), ["text"]),
        (SchemaForm({"type": "object"}), ["text"]),
        (schema(a={}, b={}), ["a", "b"]),
        (SchemaForm({"type": "object", "properties": {"a": {}}, "additionalProperties": True}), ["a", "text"]),
        (SchemaForm({"properties": {"a": {}}, "anyOf": [{}]}), ["a", "text"]),
        (SchemaForm(True), ["text"]),
    ],
)
def test_an_answer_that_can_have_more_than_its_columns_is_there_as_text(form: Form | None, columns: list[str]) -> None:
    ((*head, reason, error),) = records(table((), form))
    assert (head, reason, error) == (columns, "finish_reason", "error")


def test_tool_calls_are_a_column_where_tools_are_declared() -> None:
    output = table((), tools=True)
    row = Row(0, 2, {})
    head, line = records(
        output, output.line(row, RESULTS.answered(row, [answer("", tool_calls=(ToolCall("f", {}),))], "m"))
    )
    assert head == ["text", "tool_calls", "finish_reason", "error"]
    assert line[1] == '[{"name": "f", "arguments": {}}]'


def test_lines_of_json_in_a_table_have_an_id_and_all_keys_but_messages() -> None:
    output = output_of(Path("o.tsv"), Layout("jsonl"), scan_of("messages", "tags"), None, tools=False)
    row = Row(0, 3, {"messages": [], "tags": ["a", "b"]})
    text = output.head() + output.line(row, RESULTS.answered(row, [answer("x\ty")], "m"))
    assert text == b'id\ttags\ttext\tfinish_reason\terror\n3\t"[""a"", ""b""]"\t"x\ty"\tstop\t\n'


@pytest.mark.parametrize("text", ["a\rb", "\r", "a\nb", "a\r\nb", 'a "b"\r'])
@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_a_table_can_be_read_again_whatever_ends_of_lines_a_text_has(suffix: str, text: str) -> None:
    output = output_of(Path(f"o.{suffix}"), Layout("jsonl"), scan_of("tag"), None, tools=False)
    row = Row(0, 3, {"tag": text})
    whole = (output.head() + output.line(row, RESULTS.answered(row, [answer(text)], "m"))).decode()
    delimiter = "," if suffix == "csv" else "\t"
    (_, record) = csv.reader(io.StringIO(whole, newline=""), delimiter=delimiter, strict=True)
    assert record == ["3", text, text, "stop", ""]
    assert whole.endswith("\n")
    assert not whole.endswith("\r\n")


def test_a_byte_order_mark_and_semicolons_stay() -> None:
    layout = Layout("csv", ";", ("a",), has_bom=True)
    output = output_of(Path("o.csv"), layout, scan_of("a"), None, tools=False)
    assert output.head() == b"\xef\xbb\xbfa;text;finish_reason;error\n"


def test_responses_of_a_batch_file_are_no_table() -> None:
    with pytest.raises(UsageError, match="not a table") as caught:
        output_of(Path("my in.csv"), Layout("openai"), scan_of("custom_id"), None, tools=False)
    assert caught.value.hint == "use --out 'my in-answers.jsonl'"


def test_tokens_and_cut_off_answers_are_found_in_both_kinds_of_results() -> None:
    row = Row(0, 1, {})
    plain = RESULTS.answered(row, [answer("x", finish_reason="length")], "m")
    assert (tokens_in(plain), was_cut_off(plain)) == ((10, 4, 3), True)
    body = {
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}},
        "choices": [{"finish_reason": "stop"}],
    }
    response = {"custom_id": "1", "response": {"status_code": 200, "body": body}, "error": None}
    assert (tokens_in(response), was_cut_off(response)) == ((5, 1, 2), False)
    assert tokens_in(RESULTS.failed(row, EngineError("no"))) == (0, 0, 0)
