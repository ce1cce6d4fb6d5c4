"""What becomes of single lines and of each format, in a whole batch."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.answering.asked import Asked
from phicli.answering.formed import FormError
from phicli.batch.job import run_batch
from phicli.batch.options import Answers, Words
from phicli.errors import (
    EngineError,
    UsageError,
)
from phicli.jobs.journal import OtherJobError
from phicli.jobs.workers import Outcome
from phicli.plan.chat_options import ChatOptions
from phicli.structured.form import SchemaForm
from phicli.templates.text import read_text
from tests.batch.scripted import (
    ScriptedTarget,
    ScriptedWorker,
    Told,
    answer,
    batch_of,
    echo,
    lines,
    never,
    question,
)


def test_broken_lines_fail_without_being_asked_and_are_not_asked_again(tmp_path: Path, out: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"prompt": "a"}\n\n{"prompt": \n{"prompt": ""}\n{"id": 9, "prompt": "b"}\n', encoding="utf-8")
    report = run_batch(batch_of(source, out), ScriptedTarget, Told())
    assert (report.answered, report.failed, report.broken, report.asked) == (2, 2, 2, 2)
    assert [(line["id"], line["text"]) for line in lines(out)] == [(1, "echo a"), (3, None), (4, None), (9, "echo b")]
    target = ScriptedTarget(never)
    assert run_batch(batch_of(source, out, retry_failed=True), lambda: target, Told()).failed == 2
    assert target.opened == 0


def test_an_answer_that_the_limit_cut_off_fails_only_where_it_must_have_a_form(source: Path, out: Path) -> None:
    def cut(asked: Asked) -> Outcome:
        return Outcome(answer('{"a', finish_reason="length"))

    report = run_batch(batch_of(source, out), lambda: ScriptedTarget(cut), Told())
    assert (report.failed, report.cut_off) == (0, 20)
    formed = batch_of(source, out, answers=Answers(SchemaForm({"type": "object"})), restart=True)
    report = run_batch(formed, lambda: ScriptedTarget(cut), Told())
    assert (report.failed, report.cut_off) == (20, 0)
    assert "cut off after 3 tokens, before it matched the schema" in lines(out)[0]["error"]["message"]
    assert (report.completion_tokens, report.some_too_short) == (60, True)
    more = replace(formed, restart=False, retry_failed=True, options=ChatOptions(max_tokens=9))
    report = run_batch(more, ScriptedTarget, Told())
    assert (report.asked, report.failed, report.some_too_short) == (20, 0, False)


def test_a_request_that_nothing_can_answer_is_not_asked_again(source: Path, out: Path) -> None:
    def refuse(asked: Asked) -> Outcome:
        return Outcome(None, UsageError("it does not continue a text")) if question(asked) == "q4" else echo(asked)

    report = run_batch(batch_of(source, out), lambda: ScriptedTarget(refuse), Told())
    assert (report.failed, report.broken) == (1, 1)
    target = ScriptedTarget(never)
    report = run_batch(batch_of(source, out, retry_failed=True), lambda: target, Told())
    assert (report.failed, report.broken, target.opened) == (1, 1, 0)


def test_an_answer_without_its_form_is_kept_beside_the_error(source: Path, out: Path) -> None:
    def wrong(asked: Asked) -> Outcome:
        whole = answer("[]", attempts=3)
        return Outcome(whole, FormError("the answer does not match", "", whole, ["it is a list"]))

    run_batch(batch_of(source, out), lambda: ScriptedTarget(wrong), Told())
    error = lines(out)[0]["error"]
    assert error == {
        "code": "check_failed", "message": "the answer does not match", "errors": ["it is a list"], "text": "[]",
        "finish_reason": "stop", "attempts": 3,
    }  # fmt: skip


def test_standard_input_is_a_batch_too(out: Path) -> None:
    wanted = replace(batch_of(Path("x"), out), source="-")
    run_batch(wanted, ScriptedTarget, Told(), io.BytesIO(b"one\ntwo\n"))
    assert [line["text"] for line in lines(out)] == ["echo one", "echo two"]
    assert run_batch(wanted, lambda: ScriptedTarget(never), Told(), io.BytesIO(b"one\ntwo\n")).asked == 0
    with pytest.raises(OtherJobError):
        run_batch(wanted, lambda: ScriptedTarget(never), Told(), io.BytesIO(b"one\nthree\n"))


def test_a_table_in_and_out(tmp_path: Path) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text('name,note\nFrance,"a, b"\nx\nItaly,=1+1\n', encoding="utf-8")
    wanted = batch_of(source, out, words=Words(read_text("{name}?")))
    report = run_batch(wanted, ScriptedTarget, Told())
    assert (report.answered, report.failed) == (2, 1)
    expected = (
        "name,note,text,finish_reason,error\n"
        'France,"a, b",echo France?,stop,\n'
        'x,,,,"line 3: it has 1 column, but the first line has 2"\n'
        "Italy,=1+1,echo Italy?,stop,\n"
    )
    assert out.read_text(encoding="utf-8") == expected
    out.write_text(expected[:60], encoding="utf-8")
    run_batch(wanted, lambda: ScriptedTarget(never), Told())
    assert out.read_text(encoding="utf-8") == expected


def test_requests_in_and_responses_out(tmp_path: Path, out: Path) -> None:
    source = tmp_path / "in.jsonl"
    body = {"model": "gpt", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}
    whole = {"custom_id": "one", "method": "POST", "url": "/v1/chat/completions", "body": body}
    wrong = {**whole, "custom_id": "two", "body": {**body, "messages": []}}
    source.write_text(json.dumps(whole) + "\n" + json.dumps(wrong) + "\n", encoding="utf-8")
    asked: list[Asked] = []

    def ask(one: Asked) -> Outcome:
        asked.append(one)
        return echo(one)

    report = run_batch(batch_of(source, out), lambda: ScriptedTarget(ask), Told())
    assert (report.answered, report.failed, report.completion_tokens) == (1, 1, 3)
    assert (asked[0].model, asked[0].sampling) == ("scripted", {"max_tokens": 5})
    first, second = lines(out)
    assert (first["custom_id"], first["error"], first["response"]["status_code"]) == ("one", None, 200)
    assert first["response"]["body"]["choices"][0]["message"]["content"] == "echo hi"
    assert first["response"]["body"]["usage"]["total_tokens"] == 13
    assert first["id"].startswith("batch_req_")
    assert (second["custom_id"], second["response"]["status_code"]) == ("two", 400)
    assert "messages is empty" in second["response"]["body"]["error"]["message"]
    source.write_text(
        json.dumps(whole) + "\n" + json.dumps({**wrong, "url": "/v1/embeddings"}) + "\n", encoding="utf-8"
    )
    run_batch(batch_of(source, out, restart=True), ScriptedTarget, Told())
    assert lines(out)[1]["response"]["body"]["error"]["message"].startswith("url is '/v1/embeddings', but must be /v1/")
    before = out.read_bytes()
    out.unlink()
    run_batch(batch_of(source, out), lambda: ScriptedTarget(never), Told())
    assert out.read_bytes() == before


def test_a_request_for_several_answers_gets_them_in_one_line(tmp_path: Path, out: Path) -> None:
    source, seeds = tmp_path / "in.jsonl", list[int | None]()
    body = {"messages": [{"role": "user", "content": "hi"}], "n": 3}
    requests = [{"custom_id": "a", "body": {**body, "seed": 7}}, {"custom_id": "b", "body": body}]
    source.write_text("".join(json.dumps(one) + "\n" for one in requests), encoding="utf-8")

    def ask(asked: Asked) -> Outcome:
        seeds.append(asked.sampling.get("seed"))
        if len(seeds) == 5:
            return Outcome(None, EngineError("it crashed"))
        return Outcome(answer(str(len(seeds)), finish_reason="length" if len(seeds) == 2 else "stop"))

    workers = [ScriptedWorker(ask, slots=1)]
    report = run_batch(batch_of(source, out), lambda: ScriptedTarget(workers=workers), Told())
    assert seeds[:4] == [7, 8, 9, None]
    assert len(seeds) == 5
    assert (report.asked, report.answered, report.failed, report.cut_off) == (2, 1, 1, 1)
    first, second = (line["response"] for line in lines(out))
    choices = first["body"]["choices"]
    assert [(one["index"], one["message"]["content"]) for one in choices] == [(0, "1"), (1, "2"), (2, "3")]
    assert first["body"]["usage"]["completion_tokens"] == 9
    assert "it crashed" in second["body"]["error"]["message"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("in.csv", "id,prompt\n1,q1\n2,a,b\n3,q3\n"),  # line 3 is broken, and 3 is an id
        ("in.jsonl", '{"id": 0, "prompt": "q1"}\n{"id": 1, "prompt": \n{"id": 2, "prompt": "q3"}\n'),
        ("in.txt", '{"id": 3, "prompt": "q1"}\n{"id": "1", "prompt": "q2"}\n[]\n'),
    ],
)
def test_the_number_of_a_broken_line_may_be_the_id_of_another(
    tmp_path: Path, out: Path, name: str, content: str
) -> None:
    source = tmp_path / name
    source.write_text(content, encoding="utf-8")
    report = run_batch(batch_of(source, out), ScriptedTarget, Told())
    assert report.rows == len(lines(out)) == 3
    assert report.failed == 3 - report.answered


def test_a_request_that_failed_says_why_even_where_that_looks_like_a_path(tmp_path: Path, out: Path) -> None:
    source = tmp_path / "in.jsonl"
    body = {"messages": [{"role": "user", "content": "q"}]}
    asked = [{"custom_id": "a", "url": "/v1/embeddings", "body": body}, {"custom_id": "b", "body": body}]
    source.write_text("".join(json.dumps(one) + "\n" for one in asked), encoding="utf-8")

    def crash(_: Asked) -> Outcome:
        return Outcome(None, EngineError("the library /usr/lib/x.so is missing"))

    run_batch(batch_of(source, out), lambda: ScriptedTarget(crash), Told())
    said = [line["response"]["body"]["error"]["message"] for line in lines(out)]
    assert "/v1/embeddings" in said[0]
    assert "/v1/chat/completions" in said[0]
    assert "/usr/lib/x.so" in said[1]
