"""A conversation is saved while it goes on, whatever happens to the file meanwhile."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from phicli.chat.dialogue import Dialogue, Turn
from phicli.chat.store.saving import Saver
from phicli.chat.store.sessions import SavedSession, Sessions
from phicli.errors import NotFoundError, UsageError
from tests.fakes.scripted_model import Lab, echo
from tests.support.disks import make_read_only, small_file_system
from tests.support.sessions import dialogue_of

Begin = Callable[..., Saver]


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def begin(sessions: Sessions, told: list[str]) -> Begin:
    def saver(saved: SavedSession | None = None, name: str | None = None, where: Sessions = sessions) -> Saver:
        return Saver(where, saved, name, "m", told.append)

    return saver


def test_the_question_is_saved_before_the_answer_comes(sessions: Sessions, begin: Begin) -> None:
    saver, lab = begin(), Lab(echo)
    seen: list[Dialogue] = []

    def changed(dialogue: Dialogue) -> None:
        saver.changed(dialogue)
        seen.append(sessions.get("last").dialogue)

    lab.session.on_change = changed
    lab.ask("hello there")
    assert [turn.answer and turn.answer.content for dialogue in seen for turn in dialogue.turns] == [
        None,
        "HELLO THERE",
    ]
    lab.ask("more")
    lab.session.undo()
    assert sessions.get("hello-there").dialogue == lab.session.dialogue
    assert saver.saved == sessions.get("last")


def test_nothing_is_saved_before_the_first_question(sessions: Sessions, begin: Begin, told: list[str]) -> None:
    saver = begin(name="trip")
    saver.changed(Dialogue("be brief"))
    assert saver.saved is None
    assert not sessions.path.exists()
    saver.set_model("other")
    saver.set_overflow("drop")
    saver.changed(dialogue_of(1))
    saved = sessions.get("trip")
    assert (saved.info.model, saved.on_overflow, saver.saved) == ("other", "drop", saved)
    assert told == []


def test_a_session_that_goes_on_keeps_what_was_chosen(sessions: Sessions, begin: Begin) -> None:
    saved = sessions.create("trip", "m", dialogue_of(1), on_overflow="summarize")
    saver = begin(saved)
    saver.changed(dialogue_of(2))
    assert sessions.get("trip").on_overflow == "summarize"
    assert sessions.get("trip").info.turns == 2


def test_two_writers_of_one_session(sessions: Sessions, begin: Begin, told: list[str]) -> None:
    saved = sessions.create("trip", "m", dialogue_of(1))
    one, two = begin(saved), begin(saved)
    one.changed(dialogue_of(2, about=" of one"))
    two.changed(dialogue_of(2, about=" of two"))
    two.changed(dialogue_of(3, about=" of two"))
    one.changed(dialogue_of(3, about=" of one"))
    assert told == ["trip is in use elsewhere; this conversation continues as trip-2"]
    assert sessions.get("trip").dialogue == dialogue_of(3, about=" of one")
    assert sessions.get("trip-2").dialogue == dialogue_of(3, about=" of two")


def test_what_is_saved_elsewhere_is_a_note_and_what_is_not_saved_is_not(sessions: Sessions, told: list[str]) -> None:
    saved, notes = sessions.create("trip", "m", dialogue_of(1)), list[str]()
    one, two = (Saver(sessions, saved, None, "m", told.append, notes.append) for _ in range(2))
    one.changed(dialogue_of(2, about=" of one"))
    two.changed(dialogue_of(2, about=" of two"))
    assert (told, len(notes)) == ([], 1)


def test_a_session_that_is_removed_elsewhere_is_not_lost(sessions: Sessions, begin: Begin, told: list[str]) -> None:
    saver = begin(sessions.create("trip", "m", dialogue_of(1)))
    sessions.remove(["trip"])
    saver.changed(dialogue_of(2))
    assert sessions.get("trip-2").dialogue == dialogue_of(2)
    assert len(told) == 1


def test_a_session_that_is_renamed_elsewhere_goes_on(sessions: Sessions, begin: Begin, told: list[str]) -> None:
    saver = begin(sessions.create("trip", "m", dialogue_of(1)))
    sessions.rename("trip", "journey")
    sessions.create("trip", "m", dialogue_of(5))
    saver.changed(dialogue_of(2))
    assert sessions.get("journey").dialogue == dialogue_of(2)
    saver.forget()
    assert [info.name for info in sessions.list()] == ["trip"], "another session that has the name now stays"
    assert told == []


def test_a_new_name_does_not_hide_a_change_elsewhere(sessions: Sessions, begin: Begin) -> None:
    saved = sessions.create("trip", "m", dialogue_of(1))
    saver = begin(saved)
    sessions.update(saved, dialogue_of(2, about=" elsewhere"), model="m", on_overflow=None)
    saver.rename("mine")
    saver.changed(dialogue_of(2, about=" here"))
    assert sessions.get("mine").dialogue == dialogue_of(2, about=" elsewhere")
    assert sessions.get("mine-2").dialogue == dialogue_of(2, about=" here")


def test_names_are_checked_before_anything_is_saved(sessions: Sessions, begin: Begin) -> None:
    saver = begin()
    with pytest.raises(UsageError):
        saver.rename("-x")
    saver.rename("trip")
    saver.changed(dialogue_of(1))
    assert sessions.get("last").info.name == "trip"
    sessions.remove(["trip"])
    with pytest.raises(NotFoundError):
        saver.rename("journey")


def test_what_was_forgotten_stays_forgotten(sessions: Sessions, begin: Begin) -> None:
    saver = begin()
    saver.changed(dialogue_of(1))
    saver.forget()
    saver.changed(dialogue_of(2))
    assert (sessions.list(), saver.saved) == ((), None)
    saver.forget()


class Interrupted(Sessions):
    """Ctrl-C arrives when the next change was written."""

    armed = True

    def update(self, *args: object, **others: object) -> SavedSession:
        written = super().update(*args, **others)  # type: ignore[arg-type]
        if self.armed:
            self.armed = False
            raise KeyboardInterrupt
        return written


class InterruptedCreation(Sessions):
    """Ctrl-C arrives when the session was created."""

    armed = True

    def create(self, *args: object, **others: object) -> SavedSession:
        created = super().create(*args, **others)  # type: ignore[arg-type]
        if self.armed:
            self.armed = False
            raise KeyboardInterrupt
        return created


def test_an_interruption_just_after_a_change_is_no_second_writer(
    sessions: Sessions, begin: Begin, told: list[str]
) -> None:
    saver = begin(sessions.create("trip", "m", dialogue_of(1)), where=Interrupted(sessions.path))
    with pytest.raises(KeyboardInterrupt):
        saver.changed(dialogue_of(2))
    saver.changed(dialogue_of(3))
    assert sessions.get("trip").dialogue == dialogue_of(3)
    assert told == []
    assert len(sessions.list()) == 1


def test_an_interruption_just_after_a_session_was_created_creates_no_second_one(
    sessions: Sessions, begin: Begin, told: list[str]
) -> None:
    saver = begin(where=InterruptedCreation(sessions.path))
    with pytest.raises(KeyboardInterrupt):
        saver.changed(dialogue_of(1))
    saver.changed(dialogue_of(2))
    assert [info.turns for info in sessions.list()] == [2]
    assert told == []


@pytest.fixture
def disk(tmp_path: Path, starts_process: None) -> Iterator[Path]:
    with small_file_system(tmp_path / "disk", "size=512k") as folder:
        yield folder


def fill(path: Path) -> None:
    """Leave no space on the disk."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass


def test_a_full_disk_is_said_once_and_tried_again(disk: Path, begin: Begin, told: list[str]) -> None:
    where = Sessions(disk / "data" / "sessions.sqlite")
    saver = begin(where=where)
    saver.changed(dialogue_of(1))
    filler = disk / "filler"
    fill(filler)
    large = dialogue_of(1).with_turn(Turn("word " * 10_000))
    saver.changed(large)
    saver.changed(large.with_turn(Turn("more")))
    assert len(told) == 1
    assert "is not saved" in told[0]
    assert "full" in told[0]
    assert where.get("last").dialogue == dialogue_of(1)
    filler.unlink()
    saver.changed(large)
    assert where.get("last").dialogue == large
    assert len(told) == 1


def test_a_folder_that_is_read_only(disk: Path, begin: Begin, told: list[str]) -> None:
    where = Sessions(disk / "data" / "sessions.sqlite")
    saved = where.create("trip", "m", dialogue_of(1))
    make_read_only(disk)
    assert where.get("trip") == saved
    assert len(where.search("question", limit=5)) == 1
    saver = begin(saved, where=where)
    saver.changed(dialogue_of(2))
    saver.changed(dialogue_of(3))
    assert len(told) == 1
    assert "is not saved" in told[0]
    elsewhere = begin(where=Sessions(disk / "new" / "sessions.sqlite"))
    elsewhere.changed(dialogue_of(1))
    assert len(told) == 2
    assert "ead-only" in told[1]


def test_another_process_that_does_not_let_go(sessions: Sessions, begin: Begin, told: list[str]) -> None:
    saved = sessions.create("trip", "m", dialogue_of(1))
    other = sqlite3.connect(sessions.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    saver = begin(saved, where=Sessions(sessions.path, wait_s=0.01))
    saver.changed(dialogue_of(2))
    other.close()
    saver.changed(dialogue_of(3))
    assert sessions.get("trip").dialogue == dialogue_of(3)
    assert len(told) == 1
    assert "another process has locked" in told[0]


def test_where_there_is_no_home(begin: Begin, told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home(*_: object, **__: object) -> Path:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.delenv("PHI_HOME", raising=False)
    monkeypatch.setattr("platformdirs.user_data_path", no_home)
    saver = begin(where=Sessions())
    saver.changed(dialogue_of(1))
    saver.changed(dialogue_of(2))
    assert len(told) == 1
    assert "no home folder was found for the sessions" in told[0]


def test_two_that_begin_one_name_are_both_saved(sessions: Sessions, begin: Begin, told: list[str]) -> None:
    first, second = begin(name="trip"), begin(name="trip")
    first.changed(dialogue_of(1))
    second.changed(dialogue_of(2))
    assert sessions.get("trip").dialogue == dialogue_of(1)
    assert sessions.get("trip-2").dialogue == dialogue_of(2)
    assert told == ["trip is in use elsewhere; this conversation continues as trip-2"]


def test_what_is_asked_for_and_cannot_be_saved_is_an_error(tmp_path: Path, begin: Begin) -> None:
    (tmp_path / "file").write_text("no folder")
    saver = begin(name="trip", where=Sessions(tmp_path / "file" / "sessions.sqlite"))
    with pytest.raises(OSError, match="File exists"):
        saver.save(dialogue_of(1))
