"""Replies that are saved as they come: what survives, what is asked again, and what is added up."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from phicli.answering.asked import Asked
from phicli.answering.types import Answer
from phicli.bench.evaluation.items import read_items
from phicli.bench.evaluation.remote import RemoteSubject
from phicli.bench.evaluation.replies import Replies, replies_to
from phicli.bench.evaluation.sitting import Sitting
from phicli.bench.evaluation.types import Item, Reply
from phicli.engine.starting import OnTick
from phicli.engine.types import Timings, Usage
from phicli.errors import ContextExceededError, EngineDiedError, EngineError, PhiError, UsageError
from phicli.jobs.notices import Notices
from phicli.jobs.workers import Outcome
from phicli.remotes.types import Remote, RemoteModelName

ABOUT = {"model": "m"}
ITEMS = read_items(
    "\n".join(
        json.dumps({"id": f"q{n}", "question": f"Say {n}", "compare": "number", "answer": n}) for n in range(8)
    ).encode(),
    "test",
)


class Silent:
    """Notes what is shown and said."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, float | None]] = []
        self.said: list[str] = []

    def show(self, text: str, left_s: float | None = None, *, at_most: bool = False) -> None:
        self.shown.append((text, left_s))

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.said.append(text)


class Scripted:
    """A plan, and the worker that it opens; ``script`` makes the outcome of each question."""

    max_tokens = 20

    def __init__(self, script: Callable[[str], Outcome], slots: int) -> None:
        self.name, self.slots, self._script = "scripted", slots, script
        self.subject = RemoteSubject(RemoteModelName(Remote("lab", "http://127.0.0.1:1/v1", "phi"), "m"), None)
        self.asked: list[str] = []
        self.stopped = threading.Event()

    def key_data(self) -> dict[str, Any]:
        return {}

    def asking_data(self) -> dict[str, Any]:
        return {}

    def settings_data(self) -> dict[str, Any]:
        return {"slots": self.slots}

    @contextlib.contextmanager
    def opened(self, notices: Notices, *, on_tick: OnTick | None = None) -> Iterator[Scripted]:
        yield self

    def ask(self, asked: Asked) -> Outcome:
        question = asked.messages[-1].content
        self.asked.append(question)
        return self._script(question)

    def drain(self) -> None:
        pass

    def stop(self) -> None:
        self.stopped.set()


def answered(question: str) -> Outcome:
    usage, timings = Usage(5, 3, 0), Timings(1.5, 2.5, 3333.0, 1200.0)
    return Outcome(Answer(question, "", (), "stop", usage, timings, 0.0, 1.0, 4.0, None, 8))


def path_of(folder: Path) -> Path:
    (path,) = folder.glob("*.jsonl")
    return path


def ask_all(
    folder: Path, script: Callable[[str], Outcome] = answered, *, slots: int = 3, restart: bool = False,
    watch: Silent | None = None, items: tuple[Item, ...] = ITEMS,
) -> list[str]:  # fmt: skip
    """Ask everything; what was really asked."""
    plan = Scripted(script, slots)
    with replies_to(items, ABOUT, of=len(ITEMS), folder=folder, restart=restart) as replies:
        Sitting(plan, replies, 1, watch or Silent(), lambda: None).ask()
        assert [result.item for result in replies.results()] == list(items)
        assert replies.right == sum(result.verdict.right for result in replies.results())
    return sorted(plan.asked)


EVERYTHING = [item.prompt for item in ITEMS]


def test_a_complete_evaluation_is_not_asked_again_unless_it_is_restarted(tmp_path: Path) -> None:
    assert ask_all(tmp_path) == EVERYTHING
    assert ask_all(tmp_path) == []
    assert ask_all(tmp_path, restart=True) == EVERYTHING
    assert ask_all(tmp_path) == []


def test_some_of_the_questions_are_asked_first_and_the_others_later(tmp_path: Path) -> None:
    assert ask_all(tmp_path, items=ITEMS[:3]) == EVERYTHING[:3]
    assert ask_all(tmp_path) == EVERYTHING[3:]
    assert ask_all(tmp_path, items=ITEMS[:5]) == []


def test_results_are_in_order_whatever_order_they_came_in(tmp_path: Path) -> None:
    """The first question is answered last: its thread waits for all others."""
    others = threading.Semaphore(0)

    def script(question: str) -> Outcome:
        if question == EVERYTHING[0]:
            for _ in ITEMS[1:]:
                others.acquire(timeout=30)
        else:
            others.release()
        return answered(question)

    watch = Silent()
    ask_all(tmp_path, script, slots=2, watch=watch)
    shown = [(text, left) for text, left in watch.shown if " of 8, " in text]
    assert [text for text, _ in shown] == [f"lab/m: {n} of 8, {n} right" for n in range(1, 9)]
    assert shown[-1][1] == 0
    assert json.loads(path_of(tmp_path).read_text().splitlines()[-1])["n"] == 0


@pytest.mark.parametrize("error", [EngineDiedError("the engine stopped"), EngineError("no kernel"), OSError("disk")])
def test_what_was_answered_before_a_failure_is_saved(tmp_path: Path, error: Exception) -> None:
    def script(question: str) -> Outcome:
        if question == EVERYTHING[3]:
            raise error
        return answered(question)

    plan = Scripted(script, 1)
    with replies_to(ITEMS, ABOUT, folder=tmp_path) as replies, pytest.raises(type(error)):
        Sitting(plan, replies, 1, Silent(), lambda: None).ask()
    assert plan.stopped.is_set()
    assert ask_all(tmp_path) == EVERYTHING[3:]


@pytest.mark.parametrize(
    ("error", "end", "tokens"),
    [
        (EngineError("it crashed"), "error", 0),
        (ContextExceededError("too long", data={"prompt_tokens": 3006}), "context", 3006),
    ],
)
def test_what_failed_counts_until_the_end_of_the_sitting_and_is_then_asked_again(
    tmp_path: Path, error: PhiError, end: str, tokens: int
) -> None:
    def script(question: str) -> Outcome:
        return Outcome(None, error) if question == EVERYTHING[3] else answered(question)

    with replies_to(ITEMS, ABOUT, folder=tmp_path) as replies:
        Sitting(Scripted(script, 2), replies, 1, Silent(), lambda: None).ask()
        found = replies.results()
    (failed,) = (one for one in found if one.failed)
    assert (failed.item.item_id, failed.verdict.reason) == ("q3", error.message)
    assert (failed.reply.finish_reason, failed.reply.prompt_tokens) == (end, tokens)
    assert not any(one.wrong for one in found)
    assert ask_all(tmp_path) == EVERYTHING[3:4]


def test_a_model_that_has_no_place_for_a_system_message_ends_it(tmp_path: Path) -> None:
    def script(question: str) -> Outcome:
        return Outcome(None, UsageError("no place for a system message"))

    plan = Scripted(script, 1)
    with replies_to(ITEMS, ABOUT, folder=tmp_path) as replies, pytest.raises(UsageError, match="q0: no place"):
        Sitting(plan, replies, 1, Silent(), lambda: None).ask()


def changed(content: bytes) -> Iterator[tuple[bytes, int]]:
    """What a file may look like, and how many lines of it are of no use."""
    yield content[:-10], 1
    yield content.replace(b'"finish_reason": "stop"', b'"finish_reason": "none"', 1), 1
    yield content.replace(b'"text": "', b'"text": 5, "old": "', 1), 1
    yield content.replace(b'"n": 3', b'"n": 8', 1), 1
    yield content.replace(b'"failed": false', b'"failed": true', 1), 0


@pytest.mark.parametrize("case", range(5))
def test_a_reply_that_is_none_is_asked_again(tmp_path: Path, case: int) -> None:
    ask_all(tmp_path)
    content, bad = list(changed(path_of(tmp_path).read_bytes()))[case]
    path_of(tmp_path).write_bytes(content)
    with replies_to(ITEMS, ABOUT, folder=tmp_path) as replies:
        missing = [EVERYTHING[number] for number in replies.missing]
        assert replies.journal.damaged_lines == bad
    assert len(missing) == 1
    assert ask_all(tmp_path) == missing
    assert ask_all(tmp_path) == []


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"not json\n", b"\0" * 99, b'{"journal": 1, "key": "x"}\n{"id": "q1"}\n']
)
def test_what_an_older_version_saved_is_asked_again(tmp_path: Path, content: bytes) -> None:
    ask_all(tmp_path)
    path_of(tmp_path).write_bytes(content)
    assert ask_all(tmp_path) == EVERYTHING
    assert ask_all(tmp_path) == []


def test_other_replies_are_in_another_file(tmp_path: Path) -> None:
    ask_all(tmp_path)
    others: tuple[Mapping[str, Any], ...] = ({"model": "other"}, {**ABOUT, "remote": {"url": "http://a/v1"}})
    for about in others:
        with replies_to(ITEMS, about, folder=tmp_path) as replies:
            assert len(replies) == 0


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    again = replies_to(ITEMS, ABOUT, folder=tmp_path)
    with (
        replies_to(ITEMS, ABOUT, folder=tmp_path),
        pytest.raises(UsageError, match="another phi process is asking"),
        again,
    ):
        pass
    with replies_to(ITEMS, ABOUT, folder=tmp_path):
        pass


def test_a_folder_that_cannot_be_written_keeps_replies_in_memory(tmp_path: Path) -> None:
    (tmp_path / "evals").write_text("a file in its place")
    with replies_to(ITEMS, ABOUT, folder=tmp_path / "evals") as replies:
        Sitting(Scripted(answered, 2), replies, 1, Silent(), lambda: None).ask()
        assert len(replies.results()) == 8
        assert str(tmp_path / "evals") in replies.journal.problem


def test_time_is_added_up_over_sittings_and_settings_are_those_of_the_last(tmp_path: Path) -> None:
    reply = Reply("x", "", "stop", 5, 3, 1.5, 2.5, 4.0)
    for sitting, numbers in enumerate(((0, 1), (2,)), 1):
        with replies_to(ITEMS, ABOUT, folder=tmp_path) as replies:
            assert replies.journal.sitting == sitting
            replies.journal.begin({"slots": sitting})
            for place, number in enumerate(numbers, 1):
                replies.add(number, reply, 10.0 * sitting + place)
    with replies_to(ITEMS, ABOUT, folder=tmp_path) as replies:
        assert (replies.wall_s, replies.sittings) == (12.0 + 21.0, 2)
        assert replies.journal.settings == {"slots": 2}
    with replies_to(ITEMS[:1], ABOUT, of=len(ITEMS), folder=tmp_path) as replies:
        assert (replies.wall_s, replies.sittings) == (11.0, 1)


def test_a_limit_of_a_question_goes_before_that_of_all(tmp_path: Path) -> None:
    lines = [{"question": "a", "max_tokens": 7}, {"question": "b", "system": "Be kind."}]
    items = read_items("\n".join(json.dumps({"compare": "exact", "answer": "x"} | one) for one in lines).encode(), "t")
    seen: list[Asked] = []

    class Noting(Scripted):
        def ask(self, asked: Asked) -> Outcome:
            seen.append(asked)
            return super().ask(asked)

    with replies_to(items, ABOUT, folder=tmp_path) as replies:
        Sitting(Noting(answered, 1), replies, 9, Silent(), lambda: None).ask()
    assert [dict(one.sampling) for one in seen] == [
        {"temperature": 0.0, "seed": 9, "max_tokens": 7},
        {"temperature": 0.0, "seed": 9, "max_tokens": 20},
    ]
    assert [[message.role for message in one.messages] for one in seen] == [["user"], ["system", "user"]]


def test_old_replies_are_removed(tmp_path: Path) -> None:
    ask_all(tmp_path)
    old, other = path_of(tmp_path), tmp_path / "0123.jsonl"
    other.write_text('{"journal": 1, "key": "x"}\n')
    other.with_suffix(".lock").write_text("")
    long_ago = time.time() - 100 * 24 * 3600
    for path in (old, other):
        os.utime(path, (long_ago, long_ago))
    with replies_to(ITEMS, {"model": "other"}, folder=tmp_path):
        assert not old.exists()
        assert not other.exists()
        assert not other.with_suffix(".lock").exists()


def test_replies_of_questions_that_are_not_asked_now_stay(tmp_path: Path) -> None:
    ask_all(tmp_path)
    with replies_to(ITEMS[:2], ABOUT, of=len(ITEMS), folder=tmp_path) as replies:
        assert isinstance(replies, Replies)
        assert (len(replies), replies.missing) == (2, ())
    assert ask_all(tmp_path) == []
