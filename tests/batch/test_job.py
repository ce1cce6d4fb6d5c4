"""A whole batch, answered by a function."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phicli.answering.asked import Asked
from phicli.answering.formed import FormError
from phicli.batch.job import run_batch
from phicli.batch.options import Answers, Words
from phicli.batch.out_file import OutChangedError
from phicli.errors import (
    CheckFailedError,
    DoesNotFitError,
    EngineError,
    NetworkError,
    PhiError,
    UsageError,
    UserInterruptError,
)
from phicli.jobs.journal import OtherJobError
from phicli.jobs.running import WorkerGoneError
from phicli.jobs.workers import Outcome
from phicli.plan.chat_options import ChatOptions
from phicli.structured.form import SchemaForm
from phicli.templates.text import read_text
from tests.batch.scripted import ScriptedTarget, ScriptedWorker, Told, answer, batch_of, echo, question


def lines(path: Path) -> list[dict[str, Any]]:
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps({"id": f"n{n}", "prompt": f"q{n}"}) + "\n" for n in range(20)), encoding="utf-8")
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def never(asked: Asked) -> Outcome:
    raise AssertionError(f"asked again: {question(asked)}")


def failing(*words: str) -> Any:
    def ask(asked: Asked) -> Outcome:
        if question(asked) in words:
            return Outcome(None, EngineError(f"no answer to {question(asked)}"))
        return echo(asked)

    return ask


def test_every_line_gets_its_line_in_order_whoever_is_first(source: Path, out: Path) -> None:
    last = threading.Event()

    def ask(asked: Asked) -> Outcome:
        if question(asked) == "q19":
            last.set()
        elif question(asked) == "q0":
            assert last.wait(10)
        return echo(asked)

    report = run_batch(batch_of(source, out), lambda: ScriptedTarget(ask), Told())
    assert [(line["id"], line["text"]) for line in lines(out)] == [(f"n{n}", f"echo q{n}") for n in range(20)]
    assert (report.rows, report.answered, report.failed, report.asked) == (20, 20, 0, 20)
    assert (report.prompt_tokens, report.cached_tokens, report.completion_tokens) == (200, 80, 60)
    assert report.workers == {"scripted": 20}


def test_the_same_command_again_asks_nothing(source: Path, out: Path) -> None:
    run_batch(batch_of(source, out), ScriptedTarget, Told())
    before, target = out.read_bytes(), ScriptedTarget(never)
    report = run_batch(batch_of(source, out), lambda: target, Told())
    assert (report.answered, report.asked, target.opened) == (20, 0, 0)
    assert out.read_bytes() == before


@pytest.mark.parametrize("keep", [0, 1, 100, 150, 1000, -1])
def test_an_output_that_ends_early_is_continued_from_the_journal(source: Path, out: Path, keep: int) -> None:
    run_batch(batch_of(source, out), ScriptedTarget, Told())
    before = out.read_bytes()
    out.write_bytes(before[:keep])
    run_batch(batch_of(source, out), lambda: ScriptedTarget(never), Told())
    assert out.read_bytes() == before
    out.unlink()
    run_batch(batch_of(source, out), lambda: ScriptedTarget(never), Told())
    assert out.read_bytes() == before


def test_a_batch_that_ended_early_asks_only_the_rest(source: Path, out: Path) -> None:
    asked: list[str] = []

    def dies(one: Asked) -> Outcome:
        if question(one) == "q7":
            raise EngineError("the engine is gone")
        asked.append(question(one))
        return echo(one)

    with pytest.raises(EngineError) as error:
        run_batch(batch_of(source, out), lambda: ScriptedTarget(dies), Told())
    assert error.value.message == f"the engine is gone; {len(asked)} of 20 lines are done"
    assert "run the same command again" in error.value.hint
    assert error.value.data is not None
    assert error.value.data["answered"] == len(asked)
    told = Told()

    def rest(one: Asked) -> Outcome:
        asked.append(question(one))
        return echo(one)

    run_batch(batch_of(source, out), lambda: ScriptedTarget(rest), told)
    assert sorted(asked) == sorted(f"q{n}" for n in range(20))
    assert [line["id"] for line in lines(out)] == [f"n{n}" for n in range(20)]
    assert "of 20 lines were done before" in told.said[0]


def test_lines_that_failed_are_asked_again_when_that_is_wanted(source: Path, out: Path) -> None:
    report = run_batch(batch_of(source, out), lambda: ScriptedTarget(failing("q3", "q11")), Told())
    assert (report.answered, report.failed) == (18, 2)
    assert [(one.line, one.reason) for one in report.failures] == [(4, "no answer to q3"), (12, "no answer to q11")]
    assert lines(out)[3]["error"] == {"code": "engine", "message": "no answer to q3"}
    assert run_batch(batch_of(source, out), lambda: ScriptedTarget(never), Told()).failed == 2
    asked: list[str] = []

    def half(one: Asked) -> Outcome:
        asked.append(question(one))
        return failing("q11")(one)

    again = batch_of(source, out, retry_failed=True)
    report = run_batch(again, lambda: ScriptedTarget(half), Told())
    assert (sorted(asked), report.answered, report.failed) == (["q11", "q3"], 19, 1)
    assert [bool(line["error"]) for line in lines(out)] == [n == 11 for n in range(20)]
    report = run_batch(again, ScriptedTarget, Told())
    assert (report.answered, report.failed) == (20, 0)
    assert [line["text"] for line in lines(out)] == [f"echo q{n}" for n in range(20)]
    assert run_batch(again, lambda: ScriptedTarget(never), Told()).asked == 0


def test_asking_again_that_ends_early_leaves_an_output_that_goes_on(source: Path, out: Path) -> None:
    run_batch(batch_of(source, out), lambda: ScriptedTarget(failing("q3", "q11")), Told())

    def dies(one: Asked) -> Outcome:
        raise EngineError("gone")

    again = batch_of(source, out, retry_failed=True)
    with pytest.raises(EngineError) as error:
        run_batch(again, lambda: ScriptedTarget(dies), Told())
    assert error.value.message == "gone; 18 of 20 lines are done"
    assert len(lines(out)) == 3
    report = run_batch(batch_of(source, out), lambda: ScriptedTarget(never), Told())
    assert (report.failed, len(lines(out))) == (2, 20)
    assert run_batch(again, ScriptedTarget, Told()).failed == 0
    assert [line["text"] for line in lines(out)] == [f"echo q{n}" for n in range(20)]


def test_broken_lines_fail_without_being_asked_and_are_not_asked_again(tmp_path: Path, out: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"prompt": "a"}\n\n{"prompt": \n{"prompt": ""}\n{"id": 9, "prompt": "b"}\n', encoding="utf-8")
    report = run_batch(batch_of(source, out), ScriptedTarget, Told())
    assert (report.answered, report.failed, report.broken, report.asked) == (2, 2, 2, 2)
    assert [(line["id"], line["text"]) for line in lines(out)] == [(1, "echo a"), (3, None), (4, None), (9, "echo b")]
    target = ScriptedTarget(never)
    assert run_batch(batch_of(source, out, retry_failed=True), lambda: target, Told()).failed == 2
    assert target.opened == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"id": 1, "prompt": "a"}\n\n{"id": "1", "prompt": "b"}\n', "lines 1 and 3 have the same id: '1'"),
        ('{"prompt": "a"}\n{"id": 1, "prompt": "b"}\n', "lines 1 and 2 have the same id: '1'"),
        ('{"question": "a"}\n{"question": "b"}\n', "no line can be asked; line 1: it has neither prompt nor messages"),
        ("\n\n", "has no lines to ask"),
    ],
)
def test_an_input_that_cannot_be_right_is_refused_before_anything(
    tmp_path: Path, out: Path, content: str, message: str
) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        run_batch(batch_of(source, out), lambda: pytest.fail("a model was looked for"), Told())
    assert not out.exists()
    assert not list(tmp_path.glob("out*"))


def test_a_table_without_the_column_of_a_prompt_is_refused(tmp_path: Path, out: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("name,place\nx,y\n", encoding="utf-8")
    words = Words(read_text("{name} {town}"))
    with pytest.raises(UsageError, match="no column 'town': the columns are name, place"):
        run_batch(batch_of(source, out, words=words), ScriptedTarget, Told())
    with pytest.raises(UsageError, match="no column 'prompt'"):
        run_batch(batch_of(source, out), ScriptedTarget, Told())


@pytest.mark.parametrize(
    ("more", "differs"),
    [
        ({"options": ChatOptions(temperature=1.0)}, ("sampling",)),
        ({"words": Words(system=read_text("Be brief."))}, ("system message",)),
        ({"words": Words(read_text("{id}"))}, ("prompt",)),
        ({"answers": Answers(form_data={"choice": "a,b"})}, ("form of the answers",)),
        ({"options": ChatOptions(stop=("x",), think_budget=3)}, ("stop texts", "reasoning limit")),
        ({"options": ChatOptions(engine={"kv_type": "q8_0", "threads": 1})}, ("engine settings",)),
    ],
)
def test_an_output_of_another_job_is_refused_with_what_differs(
    source: Path, out: Path, more: dict[str, Any], differs: tuple[str, ...]
) -> None:
    run_batch(batch_of(source, out), ScriptedTarget, Told())
    before = out.read_bytes()
    with pytest.raises(OtherJobError) as error:
        run_batch(batch_of(source, out, **more), lambda: ScriptedTarget(never), Told())
    assert error.value.differs == differs
    assert str(out) in error.value.message
    assert out.read_bytes() == before


def test_another_input_and_another_model_are_other_jobs(source: Path, out: Path) -> None:
    run_batch(batch_of(source, out), ScriptedTarget, Told())
    source.write_text('{"prompt": "other"}\n', encoding="utf-8")
    with pytest.raises(OtherJobError) as error:
        run_batch(batch_of(source, out), lambda: ScriptedTarget(never, sha256="11"), Told())
    assert error.value.differs == ("input", "model")


def test_slots_threads_and_a_larger_limit_are_the_same_job(source: Path, out: Path) -> None:
    run_batch(batch_of(source, out), lambda: ScriptedTarget(failing("q1")), Told())
    more = {"options": ChatOptions(max_tokens=999, engine={"threads": 1}), "parallel": 7, "retry_failed": True}
    target = ScriptedTarget()
    assert run_batch(batch_of(source, out, **more), lambda: target, Told()).failed == 0
    assert target.needs is not None
    assert (target.needs.parallel, target.needs.requests, target.needs.max_tokens) == (7, 1, 999)


def test_an_output_that_somebody_changed_is_not_overwritten(source: Path, out: Path) -> None:
    run_batch(batch_of(source, out), ScriptedTarget, Told())
    right = out.read_bytes()
    for wrong in (right.replace(b"echo q4", b"edited!"), right + b"one more line\n", b"\n" + right):
        out.write_bytes(wrong)
        with pytest.raises(OutChangedError, match=r"was changed: its line \d+") as error:
            run_batch(batch_of(source, out), lambda: ScriptedTarget(never), Told())
        assert out.read_bytes() == wrong
        assert "move it away" in error.value.hint
        assert "to continue" not in error.value.hint
    assert "line 1 " in error.value.message


def test_a_file_without_a_journal_is_not_overwritten_unless_that_is_wanted(source: Path, out: Path) -> None:
    out.write_text("my thesis", encoding="utf-8")
    with pytest.raises(UsageError, match="already exists"):
        run_batch(batch_of(source, out), ScriptedTarget, Told())
    assert out.read_text(encoding="utf-8") == "my thesis"
    run_batch(batch_of(source, out, restart=True), ScriptedTarget, Told())
    assert len(lines(out)) == 20
    out.with_name("out.jsonl.journal").unlink()
    out.write_bytes(b"")
    assert run_batch(batch_of(source, out), ScriptedTarget, Told()).asked == 20


def test_everything_is_asked_again_when_that_is_wanted(source: Path, out: Path) -> None:
    run_batch(batch_of(source, out), lambda: ScriptedTarget(failing("q1")), Told())
    assert run_batch(batch_of(source, out, restart=True), ScriptedTarget, Told()).asked == 20
    assert not any(line["error"] for line in lines(out))


def test_places_that_cannot_be_are_refused(source: Path, out: Path, tmp_path: Path) -> None:
    for place, message in (
        (source, "would replace the input"),
        (tmp_path, "is a folder"),
        (tmp_path / "no" / "out", "the folder does not exist"),
        (Path("-"), "--out - is not possible"),
        (Path("/dev/null"), "cannot be written"),
    ):
        with pytest.raises(UsageError, match=message):
            run_batch(batch_of(source, place), ScriptedTarget, Told())
    journal = tmp_path / "x.journal"
    journal.write_bytes(source.read_bytes())
    with pytest.raises(UsageError, match="its journal would replace the input"):
        run_batch(batch_of(journal, tmp_path / "x"), ScriptedTarget, Told())


def test_two_batches_into_one_output_are_refused(source: Path, out: Path) -> None:
    def second(asked: Asked) -> Outcome:
        with pytest.raises(UsageError, match="another phi process is writing"):
            run_batch(batch_of(source, out), lambda: ScriptedTarget(never), Told())
        return echo(asked)

    assert run_batch(batch_of(source, out), lambda: ScriptedTarget(second), Told()).answered == 20


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


@pytest.mark.parametrize(
    ("name", "content", "hint"),
    [
        ("in.csv", b"a\ngr\xfc\xdfe\n", "iconv -f WINDOWS-1252 -t UTF-8"),
        ("in.txt", b"letter\nDear all\n", "--input-format csv"),
    ],
)
def test_a_file_that_cannot_be_asked_says_what_to_do(
    tmp_path: Path, out: Path, name: str, content: bytes, hint: str
) -> None:
    (tmp_path / name).write_bytes(content)
    words = Words(read_text("{a}" if name == "in.csv" else "{letter}"))
    with pytest.raises(UsageError) as error:
        run_batch(batch_of(tmp_path / name, out, words=words), ScriptedTarget, Told())
    assert hint in error.value.hint


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


def test_a_worker_that_is_gone_is_left_out_and_said(source: Path, out: Path) -> None:
    def gone(asked: Asked) -> Outcome:
        raise WorkerGoneError(NetworkError("it does not answer"))

    workers = [ScriptedWorker(gone, "a"), ScriptedWorker(echo, "b")]
    told = Told()
    report = run_batch(batch_of(source, out), lambda: ScriptedTarget(workers=workers), told)
    assert (report.answered, report.workers) == (20, {"b": 20})
    assert told.warned == ["a is left out: it does not answer; its lines go to the others"]
    with pytest.raises(NetworkError) as error:
        run_batch(batch_of(source, out, restart=True), lambda: ScriptedTarget(workers=[workers[0]]), told)
    assert error.value.message == "it does not answer"


def test_an_interruption_says_how_it_goes_on(source: Path, out: Path) -> None:
    def interrupted(asked: Asked) -> Outcome:
        if question(asked) == "q5":
            raise KeyboardInterrupt
        return echo(asked)

    with pytest.raises(UserInterruptError) as error:
        run_batch(batch_of(source, out), lambda: ScriptedTarget(interrupted), Told())
    assert error.value.message.startswith("interrupted; ")
    assert "run the same command again" in error.value.hint
    assert run_batch(batch_of(source, out), ScriptedTarget, Told()).answered == 20


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
    ("before", "now", "notes"),
    [
        ({}, {}, []),
        ({"max_tokens": 9}, {"max_tokens": 9}, []),
        (
            {"max_tokens": 9},
            {"max_tokens": 20},
            ["note: --max-tokens is 20; for the lines that were done before it was 9"],
        ),
        (
            {"context_tokens": 512},
            {"max_tokens": 5},
            [
                "note: --max-tokens is 5; for the lines that were done before it was the default",
                "note: --context is the default; for the lines that were done before it was 512",
            ],
        ),
    ],
)
def test_other_limits_than_before_are_noted(
    source: Path, out: Path, before: dict[str, int], now: dict[str, int], notes: list[str]
) -> None:
    def half(asked: Asked) -> Outcome:
        if question(asked) == "q9":
            raise EngineError("it crashed")
        return echo(asked)

    with pytest.raises(EngineError):
        run_batch(
            batch_of(source, out, options=ChatOptions(**before)),
            lambda: ScriptedTarget(half),
            Told(),  # type: ignore[arg-type]
        )
    told = Told()
    run_batch(batch_of(source, out, options=ChatOptions(**now)), ScriptedTarget, told)  # type: ignore[arg-type]
    assert [text for text in told.said if "--" in text] == notes
    assert len(lines(out)) == 20


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, DoesNotFitError), (errno.EDQUOT, DoesNotFitError), (errno.EROFS, UsageError)]
)
def test_a_journal_that_cannot_be_written_ends_the_batch(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[PhiError]
) -> None:
    """By the number of the error, in whatever language the system words it."""

    def refuse(_: int) -> None:
        raise OSError(number, "la mémoire est pleine")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(PhiError, match="the journal cannot be written") as caught:
        run_batch(batch_of(source, out), lambda: ScriptedTarget(never), Told())
    assert type(caught.value) is kind


def test_a_finished_batch_leaves_the_output_and_its_journal(source: Path, out: Path) -> None:
    run_batch(batch_of(source, out), ScriptedTarget, Told())
    assert {path.name for path in out.parent.iterdir()} == {"in.jsonl", "out.jsonl", "out.jsonl.journal"}


def test_what_a_request_says_itself_cannot_be_typed(tmp_path: Path, out: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"custom_id": "a", "body": {}}\n', encoding="utf-8")
    for more in (
        {"words": Words(read_text("x"))},
        {"words": Words(system=read_text("x"))},
        {"answers": Answers(SchemaForm({"type": "object"}))},
    ):
        with pytest.raises(UsageError, match="has no effect on an OpenAI batch file"):
            run_batch(batch_of(source, out, **more), ScriptedTarget, Told())


def test_an_input_that_changes_while_it_is_asked_ends_the_batch(source: Path, out: Path) -> None:
    def ask(asked: Asked) -> Outcome:
        if question(asked) == "q2":
            with source.open("a", encoding="utf-8") as file:
                file.write('{"prompt": "more"}\n')
        return echo(asked)

    workers = [ScriptedWorker(ask, slots=1)]
    with pytest.raises(UsageError, match="was changed while it was read"):
        run_batch(batch_of(source, out), lambda: ScriptedTarget(workers=workers), Told())
    assert len(lines(out)) == 3


def test_an_answer_after_a_check_that_failed_is_an_error_for_all(source: Path, out: Path) -> None:
    def ask(asked: Asked) -> Outcome:
        return Outcome(None, CheckFailedError("no tool was called"))

    report = run_batch(batch_of(source, out), lambda: ScriptedTarget(ask), Told())
    assert report.failed == 20
    assert len(report.failures) == 5


def test_a_job_that_has_no_result_yet_leaves_nothing_in_the_way_of_another(source: Path, out: Path) -> None:
    def wrong(asked: Asked) -> Outcome:
        raise EngineError("there is no such model")

    for target in (ScriptedTarget(wrong), ScriptedTarget(workers=[ScriptedWorker(wrong, "a")])):
        with pytest.raises(EngineError):
            run_batch(batch_of(source, out), lambda target=target: target, Told())  # type: ignore[misc]
        assert not out.exists()
        assert not out.with_name("out.jsonl.journal").exists()
    run_batch(batch_of(source, out), lambda: ScriptedTarget(sha256="11"), Told())
    first = out.with_name("out.jsonl.journal").read_bytes().split(b"\n")[:2]
    out.unlink()
    out.with_name("out.jsonl.journal").write_bytes(b"\n".join([*first, b""]))
    assert run_batch(batch_of(source, out), ScriptedTarget, Told()).asked == 20


def test_a_file_that_is_no_journal_is_not_replaced(source: Path, out: Path) -> None:
    journal = out.with_name("out.jsonl.journal")
    journal.write_text("dear diary", encoding="utf-8")
    with pytest.raises(UsageError, match="does not have the results of a job"):
        run_batch(batch_of(source, out), lambda: ScriptedTarget(never), Told())
    assert journal.read_text(encoding="utf-8") == "dear diary"


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


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes of Unix")
def test_an_output_behind_a_link_to_a_file_that_is_not_there_yet(source: Path, out: Path, tmp_path: Path) -> None:
    out.symlink_to(tmp_path / "target.jsonl")
    assert run_batch(batch_of(source, out), ScriptedTarget, Told()).answered == 20
    assert out.is_symlink()
    assert len(lines(tmp_path / "target.jsonl")) == 20


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes of Unix")
def test_an_output_that_is_a_pipe_is_refused_by_every_name(source: Path, tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "fifo")
    try:
        for name in (f"/dev/fd/{write_end}", str(tmp_path / "fifo"), str(tmp_path / "link"), os.devnull):
            with pytest.raises(UsageError, match="it is a device or a pipe"):
                run_batch(batch_of(source, Path(name)), ScriptedTarget, Told())
    finally:
        os.close(read_end)
        os.close(write_end)
