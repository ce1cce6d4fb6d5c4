"""Saving while a conversation goes on: two writers, disks that refuse, and a process that is killed."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from phicli.chat.dialogue import Dialogue, Turn
from phicli.chat.store.saving import Saver
from phicli.chat.store.sessions import Sessions
from phicli.chat_format.types import Message
from phicli.errors import UsageError
from tests.support.disks import small_file_system


def asked(*questions: str) -> Dialogue:
    return Dialogue(None, tuple(Turn(text, replies=(Message("assistant", text.upper()),)) for text in questions))


@pytest.fixture
def sessions(tmp_path: Path) -> Sessions:
    return Sessions(tmp_path / "sessions.sqlite")


def test_a_session_begins_with_the_first_question(sessions: Sessions) -> None:
    saver = Saver(sessions, None, None, "tiny-phi", print)
    saver.changed(Dialogue("be brief"))
    assert (saver.saved, sessions.list()) == (None, ())
    saver.changed(Dialogue("be brief", (Turn("Hello there"),)))
    assert [info.name for info in sessions.list()] == ["hello-there"]
    saver.set_model("phi-4")
    saver.set_overflow("drop")
    saver.changed(asked("Hello there"))
    saved = sessions.get("hello-there")
    assert (saved, saved.info.model, saved.on_overflow) == (saver.saved, "phi-4", "drop")


def test_the_second_writer_goes_on_as_a_copy_and_nothing_is_lost(sessions: Sessions) -> None:
    told: list[str] = []
    saved = sessions.create("trip", "tiny-phi", asked("one"))
    first = Saver(sessions, saved, None, "tiny-phi", told.append)
    second = Saver(sessions, saved, None, "tiny-phi", told.append)
    first.changed(asked("one", "first"))
    second.changed(asked("one", "second"))
    first.changed(asked("one", "first", "more"))
    second.changed(asked("one", "second", "more"))
    assert sessions.get("trip").dialogue == asked("one", "first", "more")
    assert sessions.get("trip-2").dialogue == asked("one", "second", "more")
    assert told == ["trip is in use elsewhere; this conversation continues as trip-2"]


def test_a_session_that_was_removed_elsewhere_is_saved_again(sessions: Sessions) -> None:
    told: list[str] = []
    saver = Saver(sessions, sessions.create("trip", "tiny-phi", asked("one")), None, "tiny-phi", told.append)
    sessions.remove(["trip"])
    saver.changed(asked("one", "two"))
    assert [info.name for info in sessions.list()] == ["trip-2"]


def test_what_was_removed_is_not_saved_again(sessions: Sessions) -> None:
    saver = Saver(sessions, None, "trip", "tiny-phi", print)
    saver.changed(asked("one"))
    saver.forget()
    saver.changed(asked("one", "two"))
    assert sessions.list() == ()


def test_a_session_is_renamed_while_it_goes_on(sessions: Sessions) -> None:
    saver = Saver(sessions, None, None, "tiny-phi", print)
    saver.changed(asked("one"))
    saver.rename("trip")
    saver.changed(asked("one", "two"))
    assert [(info.name, info.turns) for info in sessions.list()] == [("trip", 2)]
    sessions.create("other", "tiny-phi", asked("one"))
    with pytest.raises(UsageError):
        saver.rename("other")


@pytest.mark.process
def test_a_full_disk_is_told_once_and_tried_again(tmp_path: Path) -> None:
    told: list[str] = []
    with small_file_system(tmp_path / "disk", "size=400k") as disk:
        saver = Saver(Sessions(disk / "sessions.sqlite"), None, None, "tiny-phi", told.append)
        saver.changed(asked("one"))
        (disk / "filler").write_bytes(b"")
        with (disk / "filler").open("wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(4096))
            except OSError:
                pass
        long = asked("one", "two " * 20_000)
        saver.changed(long)
        saver.changed(long)
        assert len(told) == 1
        assert "full" in told[0]
        assert Sessions(disk / "sessions.sqlite").get("one").dialogue == asked("one")
        (disk / "filler").unlink()
        saver.changed(asked("one", "three"))
        assert Sessions(disk / "sessions.sqlite").get("one").dialogue == asked("one", "three")
        assert len(told) == 1


@pytest.mark.process
def test_a_folder_that_is_read_only_is_told_once(tmp_path: Path) -> None:
    told: list[str] = []
    with small_file_system(tmp_path / "disk", "size=1m") as disk:
        Sessions(disk / "sessions.sqlite").create("old", "tiny-phi", asked("one"))
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        sessions = Sessions(disk / "sessions.sqlite")
        assert sessions.get("last").dialogue == asked("one")
        saver = Saver(sessions, None, None, "tiny-phi", told.append)
        saver.changed(asked("one"))
        saver.changed(asked("one", "two"))
        assert (len(told), saver.saved) == (1, None)


_WRITER = """
import sys
from pathlib import Path
from phicli.chat.dialogue import Dialogue, Turn
from phicli.chat.store.saving import Saver
from phicli.chat.store.sessions import Sessions
from phicli.chat_format.types import Message

saver = Saver(Sessions(Path(sys.argv[1])), None, "trip", "tiny-phi", print)
dialogue = Dialogue()
for number in range(100_000):
    dialogue = dialogue.with_turn(Turn(f"question {number} " + "x" * (number % 7 * 500)))
    saver.changed(dialogue)
    print(number, flush=True)
    if number % 10 == 9:
        dialogue = dialogue.without_last(5)
"""


@pytest.mark.process
def test_a_process_that_is_killed_leaves_what_it_had_saved(tmp_path: Path) -> None:
    """At 200 random moments; whatever was acknowledged is there, and the file can be written again."""
    moments = random.Random(16)
    for number in range(200):
        path = tmp_path / f"{number}.sqlite"
        path.unlink(missing_ok=True)
        with subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            acknowledged = int(writer.stdout.readline())
            time.sleep(moments.random() * 0.05)
            writer.kill()
            acknowledged = max([acknowledged, *(int(line) for line in writer.stdout if line.endswith("\n"))])
        problems: list[str] = []
        sessions = Sessions(path, on_notice=problems.append)
        saved = sessions.get("trip")
        last = int(saved.dialogue.turns[-1].question.split()[1])
        assert (problems, last >= acknowledged) == ([], True)
        sessions.update(saved, asked("again"), model="tiny-phi", on_overflow=None)
        assert sessions.search("again", limit=5)
