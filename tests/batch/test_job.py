"""A whole batch, answered by a function: asked once, continued, asked again."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from phicli.answering.asked import Asked
from phicli.batch import sitting
from phicli.batch.job import run_batch
from phicli.errors import (
    CheckFailedError,
    EngineError,
    NetworkError,
    UsageError,
    UserInterruptError,
)
from phicli.jobs.planning import Needs
from phicli.jobs.running import Worker, WorkerGoneError
from phicli.jobs.watch import Watch
from phicli.jobs.workers import Outcome
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


def test_everything_is_asked_again_when_that_is_wanted(source: Path, out: Path) -> None:
    run_batch(batch_of(source, out), lambda: ScriptedTarget(failing("q1")), Told())
    assert run_batch(batch_of(source, out, restart=True), ScriptedTarget, Told()).asked == 20
    assert not any(line["error"] for line in lines(out))


def test_what_is_to_be_replaced_is_there_until_something_is_answered(source: Path, out: Path) -> None:
    run_batch(batch_of(source, out), ScriptedTarget, Told())
    journal = out.with_name("out.jsonl.journal")
    before = out.read_bytes(), journal.read_bytes()

    def wrong(asked: Asked) -> Outcome:
        raise EngineError("there is no such model")

    class NotLoaded(ScriptedTarget):
        @contextlib.contextmanager
        def open(self, needs: Needs, watch: Watch) -> Iterator[Sequence[Worker[Asked, Outcome]]]:
            raise EngineError("it cannot be loaded")
            yield ()

    for target in (ScriptedTarget(wrong), NotLoaded()):
        with pytest.raises(EngineError):
            run_batch(batch_of(source, out, restart=True), lambda target=target: target, Told())  # type: ignore[misc]
        assert (out.read_bytes(), journal.read_bytes()) == before
    assert run_batch(batch_of(source, out), lambda: ScriptedTarget(never), Told()).answered == 20
    assert run_batch(batch_of(source, out, restart=True), ScriptedTarget, Told()).asked == 20
    assert out.read_bytes() == before[0]


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


def test_how_far_it_is(source: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sitting, "_SHOWN_S", 0.0)
    told = Told()
    run_batch(batch_of(source, out), lambda: ScriptedTarget(failing("q3")), told)
    assert "0 of 20 · waiting for the first answer" in told.shown
    last = told.shown[-1].split(" · ")
    assert (last[:2], len(last)) == (["20 of 20", "1 failed"], 4)
    assert last[2].endswith(" lines/s")
    assert last[3].endswith(" tokens/s")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_no_time_is_left_while_answers_are_awaited_after_an_interruption(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sitting, "_SHOWN_S", 0.0)
    left: list[tuple[str, float | None]] = []
    warned = threading.Event()

    class Timed(Told):
        def show(self, text: str, left_s: float | None = None) -> None:
            left.append((text.partition(" ")[0], left_s))

        def warn(self, text: str) -> None:
            super().warn(text)
            warned.set()

    def ask(asked: Asked) -> Outcome:
        if question(asked) == "q5":
            os.kill(os.getpid(), signal.SIGINT)
            assert warned.wait(10)
        return echo(asked)

    told = Timed()
    with pytest.raises(UserInterruptError):
        run_batch(batch_of(source, out), lambda: ScriptedTarget(workers=[ScriptedWorker(ask, slots=1)]), told)
    assert told.warned == ["interrupted: waiting for 1 line under way; press Ctrl-C again to stop at once"]
    assert dict(left)["4"] is not None
    assert [left_s for done, left_s in left if done in ("5", "6")][1:] == [None, None]


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


def test_a_finished_batch_leaves_the_output_and_its_journal(source: Path, out: Path) -> None:
    run_batch(batch_of(source, out), ScriptedTarget, Told())
    assert {path.name for path in out.parent.iterdir()} == {"in.jsonl", "out.jsonl", "out.jsonl.journal"}


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
