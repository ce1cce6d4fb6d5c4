"""Saved sessions: what is written is read again, names, search, and files that cannot be used."""

from __future__ import annotations

import sqlite3
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from phicli.chat.dialogue import Attachment, Dialogue, Turn
from phicli.chat.store.errors import SessionChangedError
from phicli.chat.store.sessions import Sessions
from phicli.chat_format.types import Message, ToolCall
from phicli.errors import IntegrityError, NotFoundError, UsageError

EVERYTHING = Dialogue(
    "be brief",
    (
        Turn("first \x1b[2J\n second", (Attachment("a.txt", "text\0"), Attachment("", "piped"))),
        Turn(
            "zwei 漢字",
            replies=(
                Message("assistant", "", (ToolCall("f", {"x": [1, "ä"]}),)),
                Message("tool", "result"),
                Message("assistant", "done", token_ids=(1, 2, 300_000)),
            ),
            facts={"seed": 7, "settings": {"temperature": 0.5}},
        ),
    ),
    1,
    "what was said",
)
CHANGED = replace(EVERYTHING, turns=(EVERYTHING.turns[0], Turn("other")), left_out=0, summary=None)


def asked(*questions: str) -> Dialogue:
    return Dialogue(None, tuple(Turn(text, replies=(Message("assistant", text.upper()),)) for text in questions))


@pytest.fixture
def sessions(tmp_path: Path) -> Sessions:
    return Sessions(tmp_path / "data" / "sessions.sqlite")


def test_nothing_is_made_before_something_is_saved(sessions: Sessions) -> None:
    assert (sessions.list(), sessions.find("x"), sessions.search("text", limit=5)) == ((), None, ())
    assert not sessions.path.parent.exists()
    with pytest.raises(NotFoundError, match="no conversation is saved yet"):
        sessions.get("last")


def test_a_session_is_read_as_it_was_written(sessions: Sessions) -> None:
    saved = sessions.create("a", "tiny-phi", EVERYTHING)
    assert sessions.get("A") == saved
    assert saved.dialogue == EVERYTHING
    assert (saved.info.name, saved.info.model, saved.info.turns) == ("a", "tiny-phi", 2)
    assert saved.info.title == "first \x1b[2J second"
    changed = sessions.update(saved, CHANGED, model="phi-4", on_overflow="drop")
    assert sessions.get("last") == changed
    assert (changed.dialogue, changed.info.model, changed.on_overflow) == (CHANGED, "phi-4", "drop")
    assert changed.info.session_id == saved.info.session_id


def test_only_its_owner_can_read_the_file(sessions: Sessions) -> None:
    sessions.create("a", "tiny-phi", EVERYTHING)
    assert stat.S_IMODE(sessions.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(sessions.path.parent.stat().st_mode) == 0o700


def test_what_another_process_changed_is_not_overwritten(sessions: Sessions) -> None:
    saved = sessions.create("a", "tiny-phi", asked("one"))
    sessions.update(saved, asked("one", "two"), model="tiny-phi", on_overflow=None)
    with pytest.raises(SessionChangedError):
        sessions.update(saved, asked("one", "three"), model="tiny-phi", on_overflow=None)
    copy = sessions.fork(saved, asked("one", "three"), model="tiny-phi", on_overflow=None)
    assert copy.info.name == "a-2"
    assert sessions.get("a").dialogue == asked("one", "two")
    assert sessions.fork(saved, asked("one"), model="tiny-phi", on_overflow=None).info.name == "a-3"


def test_a_session_that_was_removed_is_not_updated(sessions: Sessions) -> None:
    saved = sessions.create("a", "tiny-phi", asked("one"))
    sessions.remove(["a"])
    with pytest.raises(SessionChangedError):
        sessions.update(saved, asked("one", "two"), model="tiny-phi", on_overflow=None)


def test_a_name_comes_from_the_first_question(sessions: Sessions) -> None:
    names = [
        sessions.create(None, "tiny-phi", asked(question)).info.name
        for question in ("Wie spät ist es, bitte schön?", "wie spät ist es bitte", "?!", "Last", "東京 は どこ")
    ]
    assert names == [
        "wie-spät-ist-es-bitte",
        "wie-spät-ist-es-bitte-2",
        "conversation",
        "conversation-2",
        "東京-は-どこ",
    ]


@pytest.mark.parametrize("name", ["", " ", " a", "last", "LAST", "-a", "a\nb", "a\x1b", "x" * 101])
def test_a_name_that_cannot_be_one_is_refused(sessions: Sessions, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        sessions.create(name, "tiny-phi", asked("one"))
    assert caught.value.hint
    assert sessions.list() == ()


def test_a_name_is_taken_in_any_case_and_a_near_one_is_proposed(sessions: Sessions) -> None:
    sessions.create("Trip", "tiny-phi", asked("one"))
    with pytest.raises(UsageError, match="already exists"):
        sessions.create("trip", "tiny-phi", asked("two"))
    with pytest.raises(NotFoundError) as caught:
        sessions.get("tripp")
    assert "did you mean Trip?" in caught.value.hint


def test_a_session_is_renamed_and_its_revision_stays(sessions: Sessions) -> None:
    saved = sessions.create("a", "tiny-phi", asked("one"))
    sessions.create("b", "tiny-phi", asked("two"))
    with pytest.raises(UsageError, match="already exists"):
        sessions.rename("a", "B")
    assert sessions.rename("a", "A").name == "A"
    sessions.update(saved, asked("one", "more"), model="tiny-phi", on_overflow=None)
    assert sessions.get("a").info.turns == 2


def test_the_newest_come_first(sessions: Sessions) -> None:
    for name in ("a", "b", "c"):
        sessions.create(name, "tiny-phi", asked(name))
    with sqlite3.connect(sessions.path) as database:
        database.execute("UPDATE sessions SET updated_at = '2020-01-01T00:00:00.000Z' WHERE name = 'c'")
    database.close()
    assert [info.name for info in sessions.list()] == ["b", "a", "c"]
    assert [info.name for info in sessions.list(limit=1)] == ["b"]
    sessions.update(sessions.get("c"), asked("c", "more"), model="tiny-phi", on_overflow=None)
    assert sessions.get("last").info.name == "c"
    with sqlite3.connect(sessions.path) as database:
        database.execute("UPDATE sessions SET updated_at = '2020-01-01T00:00:00.000Z' WHERE name = 'c'")
    database.close()
    assert [info.name for info in sessions.list(older_than=datetime.now(UTC) - timedelta(days=1))] == ["c"]


def test_removal_is_of_all_or_none(sessions: Sessions) -> None:
    sessions.create("a", "tiny-phi", asked("secret words"))
    sessions.create("b", "tiny-phi", asked("two"))
    with pytest.raises(NotFoundError):
        sessions.remove(["a", "nope"])
    assert len(sessions.list()) == 2
    assert [info.name for info in sessions.remove(["a"])] == ["a"]
    assert sessions.search("secret", limit=5) == ()
    assert b"secret words" not in sessions.path.read_bytes()


@pytest.mark.parametrize(
    "text", ["needle", "NEEDLE", "NE", "語", "漢字語", '"', '" OR "', "100%", "a_b", "*", "^x", "NEAR("]
)
def test_any_text_is_found_and_none_is_syntax(sessions: Sessions, text: str) -> None:
    said = 'hay Needle 漢字語 say " OR " 100% a_b * ^x NEAR( hay'
    sessions.create("other", "tiny-phi", asked("straw"))
    sessions.create("a", "tiny-phi", Dialogue(None, (Turn("first"), Turn(said))))
    (place,) = sessions.search(text, limit=5)
    assert (place.info.name, place.turn, place.role) == ("a", 2, "user")
    assert f"\x02{text}\x03".lower() in place.excerpt.lower()


def test_what_a_percent_sign_would_match_is_not_found(sessions: Sessions) -> None:
    sessions.create("a", "tiny-phi", asked("abc"))
    assert sessions.search("%", limit=5) == sessions.search("_", limit=5) == ()


def test_search_finds_answers_and_follows_changes(sessions: Sessions) -> None:
    saved = sessions.create("a", "tiny-phi", asked("one", "needle"))
    assert [(place.turn, place.role) for place in sessions.search("needle", limit=5)] == [(2, "user"), (2, "assistant")]
    sessions.update(saved, asked("one"), model="tiny-phi", on_overflow=None)
    assert sessions.search("needle", limit=5) == ()


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\0" + bytes(range(256)) * 40])
def test_a_damaged_file_is_set_aside_and_said(tmp_path: Path, content: bytes) -> None:
    notices: list[str] = []
    path = tmp_path / "sessions.sqlite"
    sessions = Sessions(path, on_notice=notices.append)
    for number in ("", "-2"):
        path.write_bytes(content)
        assert sessions.list() == ()
        assert path.with_name(f"sessions.sqlite.damaged{number}").read_bytes() == content
    assert len(notices) == 2
    assert "sessions.sqlite.damaged-2" in notices[1]
    assert sessions.create("a", "tiny-phi", asked("one")).info.name == "a"


def test_a_damaged_page_is_found_when_something_is_written(sessions: Sessions) -> None:
    sessions.create("a", "tiny-phi", asked("one"))
    content = bytearray(sessions.path.read_bytes())
    content[4096:8192] = bytes(range(256)) * 16
    sessions.path.write_bytes(content)
    assert sessions.create("b", "tiny-phi", asked("two")).info.name == "b"
    assert sessions.path.with_name("sessions.sqlite.damaged").read_bytes() == content


def test_the_file_of_another_program_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "sessions.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE recipes (name TEXT)")
    database.close()
    Sessions(path).create("a", "tiny-phi", asked("one"))
    assert path.with_name("sessions.sqlite.damaged").exists()


def test_the_file_of_a_newer_version_is_left_alone(sessions: Sessions) -> None:
    sessions.create("a", "tiny-phi", asked("one"))
    with sqlite3.connect(sessions.path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    before = sessions.path.read_bytes()
    for work in (sessions.list, lambda: sessions.create("b", "tiny-phi", asked("two"))):
        with pytest.raises(IntegrityError, match="newer phi"):
            work()
    assert sessions.path.read_bytes() == before
