"""Batches that are refused, and outputs that are left as they are."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from phicli.answering.asked import Asked
from phicli.batch.job import run_batch
from phicli.batch.options import Answers, Words
from phicli.batch.out_file import OutChangedError
from phicli.errors import (
    DoesNotFitError,
    EngineError,
    PhiError,
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
    batch_of,
    echo,
    failing,
    lines,
    never,
    question,
)


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
    with pytest.raises(UsageError, match="no column 'prompt'") as caught:
        run_batch(batch_of(source, out), ScriptedTarget, Told())
    assert caught.value.hint == "word the question with the columns: --prompt 'Text with {place}'"


def test_a_column_that_is_misspelled_is_named(tmp_path: Path, out: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("name,place\nx,y\n", encoding="utf-8")
    for typed, hint in {"plaec": "did you mean {place}?", "xyz": "correct the name in braces"}.items():
        with pytest.raises(UsageError, match=f"no column '{typed}'") as caught:
            run_batch(batch_of(source, out, words=Words(read_text(f"{{{typed}}}"))), ScriptedTarget, Told())
        assert caught.value.hint == hint


@pytest.mark.parametrize("name", ["out.xlsx", "out.XLS", "out.parquet"])
def test_a_spreadsheet_is_refused_before_anything(tmp_path: Path, source: Path, name: str) -> None:
    with pytest.raises(UsageError, match="phi writes JSON lines and CSV") as caught:
        run_batch(batch_of(source, tmp_path / name), lambda: pytest.fail("a model was looked for"), Told())
    assert caught.value.hint == f"spreadsheets open CSV: --out {tmp_path / 'out.csv'}"
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize(
    ("name", "content", "prompt", "says"),
    [
        ("in.csv", "name,place\nx,y\n", "Hello", "to name it: {place}"),
        ("in.jsonl", '{"text": "a"}\n', "Hello", "to name it: {key}"),
        ("in.txt", "a\n", "Hello", "to name it: {prompt}"),
        ("in.csv", "name,place\nx,y\n", "Hello {name}", ""),
        ("in.txt", "a\n", None, ""),
    ],
)
def test_a_prompt_that_names_nothing_of_a_line_is_said(
    tmp_path: Path, out: Path, name: str, content: str, prompt: str | None, says: str
) -> None:
    source, told = tmp_path / name, Told()
    source.write_text(content, encoding="utf-8")
    words = Words() if prompt is None else Words(read_text(prompt))
    run_batch(batch_of(source, out, words=words), ScriptedTarget, told)
    notes = [text for text in told.said if "ask the same question" in text]
    assert len(notes) == bool(says)
    assert all(note.startswith("note: ") and note.endswith(says) for note in notes)


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


def test_places_that_cannot_be_are_refused(source: Path, out: Path, tmp_path: Path) -> None:
    for place, message in (
        (source, "would replace the input"),
        (tmp_path, "is a folder"),
        (tmp_path / "no" / "out", "the folder does not exist"),
        (tmp_path / "no" / ".." / source.name, "the folder does not exist"),
        (Path("-"), "--out - is not possible"),
        (Path("/dev/null"), "cannot be written"),
    ):
        with pytest.raises(UsageError, match=message):
            run_batch(batch_of(source, place), ScriptedTarget, Told())
    for name, what in (("x.journal", "its journal"), ("x.journal.lock", "its lock")):
        beside = tmp_path / name
        beside.write_bytes(source.read_bytes())
        with pytest.raises(UsageError, match=f"{what} would replace the input"):
            run_batch(batch_of(beside, tmp_path / "x"), ScriptedTarget, Told())
        assert beside.read_bytes() == source.read_bytes()


def test_two_batches_into_one_output_are_refused(source: Path, out: Path) -> None:
    def second(asked: Asked) -> Outcome:
        with pytest.raises(UsageError, match="another phi process is writing"):
            run_batch(batch_of(source, out), lambda: ScriptedTarget(never), Told())
        return echo(asked)

    assert run_batch(batch_of(source, out), lambda: ScriptedTarget(second), Told()).answered == 20


@pytest.mark.parametrize(
    ("name", "content", "hint"),
    [
        ("in.csv", b"a\ngr\xfc\xdfe\n", "iconv -f WINDOWS-1252 -t UTF-8 in.csv > utf8.csv"),
        ("in.txt", b"letter\nDear all\n", "--input-format csv"),
        ("my file.csv", b"a\ngr\xfc\xdfe\n", "-t UTF-8 'my file.csv' > utf8.csv"),
        ("my file.csv", b"gr\xfc\xdfe\na\n", "-t UTF-8 'my file.csv' > utf8.csv"),
        ("my file.csv", b"a,b\r1,2\r", "< 'my file.csv' > lines.csv"),
        ("my file.json", b'[{"prompt": "a"}]', "jq -c '.[]' 'my file.json' > lines.jsonl"),
        ("my file.txt", "a".encode("utf-16"), "-t UTF-8 'my file.txt' > utf8.txt"),
    ],
)
def test_a_file_that_cannot_be_asked_says_what_to_do(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, hint: str
) -> None:
    (tmp_path / name).write_bytes(content)
    words = Words(read_text("{letter}" if name == "in.txt" else "{a}"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as error:
        run_batch(batch_of(Path(name), out, words=words), ScriptedTarget, Told())
    assert error.value.hint.endswith(hint)


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
    newer = '{"journal": 99, "about": {}}\n{"n": 0}\n'
    for text, what in (
        ("dear diary", "does not have the results of a job"),
        (newer, "was written by another version of phi"),
    ):
        journal.write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match=what) as caught:
            run_batch(batch_of(source, out), lambda: ScriptedTarget(never), Told())
        assert caught.value.hint == f"name another file with --out, or replace {out} and its journal: --restart"
        assert journal.read_text(encoding="utf-8") == text


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
