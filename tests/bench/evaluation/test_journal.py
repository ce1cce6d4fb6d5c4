"""Replies that are kept as they come: what survives a crash, and what is asked again."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from phicli.bench.evaluation.items import read_items
from phicli.bench.evaluation.journal import Journal, journal_key
from phicli.bench.evaluation.runner import Progress, evaluate, results_of, wall_seconds
from phicli.bench.evaluation.types import Item, Reply
from phicli.errors import EngineError, UsageError

KEY = journal_key({"model": "m"})
ITEMS = read_items(
    "\n".join(
        json.dumps({"id": f"q{n}", "question": f"Say {n}", "compare": "number", "answer": n}) for n in range(8)
    ).encode(),
    "test",
)


def reply(text: str) -> Reply:
    return Reply(text, "", "stop", 5, 3, 1.5, 2.5, 4.0)


def answer(item: Item) -> Reply:
    return reply(item.question)


def path_of(folder: Path) -> Path:
    (path,) = folder.glob("*.jsonl")
    return path


def ask_all(folder: Path, ask: Callable[[Item], Reply] = answer, *, slots: int = 3, restart: bool = False) -> list[str]:
    """Ask everything; ids of what was really asked."""
    asked: list[str] = []

    def noting(item: Item) -> Reply:
        asked.append(item.item_id)
        return ask(item)

    with Journal(KEY, folder=folder, restart=restart) as journal:
        journal.begin({"slots": slots})
        evaluate(ITEMS, noting, journal, slots=slots, stop=lambda: None)
        assert [result.item for result in results_of(ITEMS, journal)] == list(ITEMS)
    return sorted(asked)


def test_a_complete_evaluation_is_not_asked_again_unless_it_is_restarted(tmp_path: Path) -> None:
    everything = [item.item_id for item in ITEMS]
    assert ask_all(tmp_path) == everything
    assert ask_all(tmp_path) == []
    assert ask_all(tmp_path, restart=True) == everything
    assert ask_all(tmp_path) == []


def test_results_are_in_order_whatever_order_they_came_in(tmp_path: Path) -> None:
    """The first question is answered last: its thread waits for all others."""
    others = threading.Semaphore(0)

    def ask(item: Item) -> Reply:
        if item.item_id == "q0":
            for _ in ITEMS[1:]:
                others.acquire(timeout=30)
        else:
            others.release()
        return answer(item)

    with Journal(KEY, folder=tmp_path) as journal:
        seen: list[Progress] = []
        evaluate(ITEMS, ask, journal, slots=2, stop=lambda: None, on_progress=seen.append)
        found = results_of(ITEMS, journal)
    assert [result.item.item_id for result in found] == [item.item_id for item in ITEMS]
    assert all(result.verdict.right for result in found)
    assert [(at.done, at.total, at.right) for at in seen] == [(n, 8, n) for n in range(1, 9)]
    assert seen[-1].left_s == 0
    kept = [json.loads(line) for line in path_of(tmp_path).read_text().splitlines()]
    assert kept[-1]["id"] == "q0"


@pytest.mark.parametrize("error", [EngineError("the engine stopped"), KeyboardInterrupt()])
def test_what_was_answered_before_a_failure_is_kept(tmp_path: Path, error: BaseException) -> None:
    stopped: list[bool] = []

    def ask(item: Item) -> Reply:
        if item.item_id == "q3":
            raise error
        return answer(item)

    with Journal(KEY, folder=tmp_path) as journal, pytest.raises(type(error)):
        evaluate(ITEMS, ask, journal, slots=1, stop=lambda: stopped.append(True))
    assert stopped == [True]
    assert ask_all(tmp_path) == ["q3", "q4", "q5", "q6", "q7"]


def test_a_stop_ends_the_questions_that_are_under_way(tmp_path: Path) -> None:
    """One slot fails while the other waits for its engine: without ``stop`` this would wait for ever."""
    ended = threading.Event()

    def ask(item: Item) -> Reply:
        if item.item_id == "q0":
            assert ended.wait(30)
        raise EngineError("the engine stopped")

    with Journal(KEY, folder=tmp_path) as journal, pytest.raises(EngineError):
        evaluate(ITEMS, ask, journal, slots=2, stop=ended.set)


def damaged(content: bytes) -> Iterator[tuple[bytes, int]]:
    """What a file may look like after a crash, and how many lines of it are of no use."""
    lines = content.splitlines(keepends=True)
    yield content[:-10], 1
    yield content + b'{"id": "q9", "sit', 1
    yield b"".join([*lines[:3], b"\xff\xfe\0garbage\n", *lines[3:]]), 1
    yield b"".join([*lines[:3], b"[1]\n", b"{}\n", b"[" * 100_000 + b"\n", *lines[3:]]), 3
    yield content.replace(b'"finish_reason": "stop"', b'"finish_reason": "none"', 1), 1
    yield content.replace(b'"text": "', b'"text": 5, "old": "', 1), 1


def test_damaged_lines_are_asked_again_and_the_others_are_not(tmp_path: Path) -> None:
    ask_all(tmp_path)
    whole = path_of(tmp_path).read_bytes()
    for content, bad in damaged(whole):
        path_of(tmp_path).write_bytes(content)
        with Journal(KEY, folder=tmp_path) as journal:
            missing = sorted({item.item_id for item in ITEMS} - set(journal.answers))
            assert journal.damaged_lines == bad
        assert ask_all(tmp_path) == missing
        assert len(missing) <= 1
        assert ask_all(tmp_path) == []


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"not json\n", b'{"journal": 0, "key": "x"}\n{"id": "q1"}\n', b"\0" * 99]
)
def test_a_file_of_something_else_begins_anew(tmp_path: Path, content: bytes) -> None:
    ask_all(tmp_path)
    path_of(tmp_path).write_bytes(content)
    assert len(ask_all(tmp_path)) == 8
    assert ask_all(tmp_path) == []


def test_each_key_has_its_own_replies(tmp_path: Path) -> None:
    ask_all(tmp_path)
    with Journal(journal_key({"model": "other"}), folder=tmp_path) as journal:
        assert not journal.answers


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    with Journal(KEY, folder=tmp_path), pytest.raises(UsageError, match="another phi"), Journal(KEY, folder=tmp_path):
        pass
    with Journal(KEY, folder=tmp_path):
        pass


def test_a_folder_that_cannot_be_written_keeps_replies_in_memory(tmp_path: Path) -> None:
    (tmp_path / "evals").write_text("a file in its place")
    with Journal(KEY, folder=tmp_path / "evals") as journal:
        evaluate(ITEMS, answer, journal, slots=2, stop=lambda: None)
        assert len(results_of(ITEMS, journal)) == 8
        assert str(tmp_path / "evals") in journal.problem


def test_what_failed_is_there_until_the_end_of_the_sitting_and_then_asked_again(tmp_path: Path) -> None:
    def ask(item: Item) -> Reply:
        return Reply.none("error", "it crashed") if item.item_id == "q3" else answer(item)

    with Journal(KEY, folder=tmp_path) as journal:
        evaluate(ITEMS, ask, journal, slots=2, stop=lambda: None)
        found = results_of(ITEMS, journal)
    assert [(one.item.item_id, one.verdict.reason) for one in found if one.failed] == [("q3", "it crashed")]
    assert [one.item.item_id for one in found if one.wrong] == []
    assert ask_all(tmp_path) == ["q3"]


def test_a_reply_that_came_together_with_an_interruption_is_kept(tmp_path: Path) -> None:
    """Ctrl-C between the reply's being there and its being written: what is shown and what is kept are the same."""

    class Interrupted:
        """A file whose first write is interrupted before it has begun."""

        def __init__(self, file: IO[bytes]) -> None:
            self.file, self.interrupts = file, True

        def write(self, data: bytes) -> int:
            if self.interrupts:
                self.interrupts = False
                raise KeyboardInterrupt
            return self.file.write(data)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

    with Journal(KEY, folder=tmp_path) as journal:
        assert journal._file is not None
        journal._file = Interrupted(journal._file)  # type: ignore[assignment]
        with pytest.raises(KeyboardInterrupt):
            evaluate(ITEMS[:1], answer, journal, slots=1, stop=lambda: None)
    assert list(journal.answers) == ["q0"]
    with Journal(KEY, folder=tmp_path) as again:
        assert list(again.answers) == ["q0"]


def test_a_failure_that_an_older_version_kept_is_asked_again(tmp_path: Path) -> None:
    ask_all(tmp_path)
    path = path_of(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"finish_reason": "stop"', b'"finish_reason": "context"', 1))
    with Journal(KEY, folder=tmp_path) as journal:
        assert (len(journal.answers), journal.damaged_lines) == (7, 0)


def test_time_is_added_up_over_sittings_and_settings_are_those_of_the_last(tmp_path: Path) -> None:
    for sitting, ids in enumerate((("q0", "q1"), ("q2",)), 1):
        with Journal(KEY, folder=tmp_path) as journal:
            assert journal.sitting == sitting
            journal.begin({"slots": sitting})
            for place, item_id in enumerate(ids, 1):
                journal.add(item_id, reply("x"), 10.0 * sitting + place)
    with Journal(KEY, folder=tmp_path) as journal:
        assert wall_seconds(ITEMS, journal) == 12.0 + 21.0
        assert wall_seconds(ITEMS[:1], journal) == 11.0
        assert journal.settings == {"slots": 2}


def test_old_journals_are_removed(tmp_path: Path) -> None:
    ask_all(tmp_path)
    old = path_of(tmp_path)
    long_ago = time.time() - 100 * 24 * 3600
    os.utime(old, (long_ago, long_ago))
    with Journal(journal_key({"model": "other"}), folder=tmp_path):
        assert not old.exists()
