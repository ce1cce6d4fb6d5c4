"""Saved sessions: what is written is what is read, under names that people type."""

from __future__ import annotations

import os
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
from tests.support.sessions import FACTS, dialogue_of

RICH = Dialogue(
    "be brief",
    (
        Turn("first", (Attachment("a.txt", "text\0 of a"), Attachment("", "piped")), (), None),
        Turn("half a pair \ud83d", (), (Message("assistant", "yes \udcff", (), (1, 2, 200_063)),), dict(FACTS)),
        Turn(
            "weather?",
            (),
            (
                Message("assistant", "", (ToolCall("weather", {"city": "Köln", "days": [1, 2]}),)),
                Message("tool", "rain"),
                Message("assistant", "雨です", (), ()),
            ),
        ),
    ),
    left_out=1,
    summary="they said hello",
)


def asked(question: str) -> Dialogue:
    return Dialogue(None, (Turn(question),))


def test_everything_that_was_said_comes_back(sessions: Sessions) -> None:
    saved = sessions.create("trip", "phi-4-mini:q4_k_m", RICH)
    again = Sessions(sessions.path).get("trip")
    assert again == saved
    assert again.dialogue == RICH
    assert (again.info.turns, again.info.title, again.info.model) == (3, "first", "phi-4-mini:q4_k_m")
    assert datetime.fromisoformat(again.info.created_at).tzinfo is not None


def test_columns_cannot_have_half_a_surrogate_pair(sessions: Sessions) -> None:
    saved = sessions.create(None, "/models/\udcff.gguf", Dialogue("\ud800", (Turn("what \udcff?"),), 0, "\ud800"))
    again = sessions.get(saved.info.name).dialogue
    assert (again.system, again.summary, again.turns) == ("?", "?", saved.dialogue.turns)


def test_there_is_nothing_before_the_first_session(sessions: Sessions) -> None:
    assert sessions.list() == ()
    assert sessions.search("any", limit=3) == ()
    assert sessions.find("trip") is None
    assert not sessions.remove_id("0")
    for name, message in (("last", "no conversation is saved"), ("trip", "'trip' not found")):
        for use in (sessions.get, lambda name: sessions.remove([name]), lambda name: sessions.rename(name, "new")):
            with pytest.raises(NotFoundError, match=message):
                use(name)
    assert not sessions.path.exists()


@pytest.mark.parametrize("umask", [0o000, 0o077])
@pytest.mark.skipif(os.name != "posix", reason="there are no permissions of this kind")
def test_only_the_owner_may_read_them(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "data" / "sessions.sqlite"
    before = os.umask(umask)
    try:
        Sessions(path).create("trip", "m", RICH)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE sessions SET title = 'x'")
        journal = path.with_name("sessions.sqlite-journal")
        assert stat.S_IMODE(journal.stat().st_mode) == 0o600
        other.execute("ROLLBACK")
        other.close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.chmod(0o644)
    Sessions(path).create("more", "m", RICH)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("What is the capital of France, and why?", "what-is-the-capital-of"),
        ("Wie heißt die Straße?", "wie-heißt-die-straße"),
        ("हिन्दी में लिखो", "हिन्दी-में-लिखो"),
        ("東京の天気は?", "東京の天気は"),
        ("e\u0301te\u0301", "été"),
        ("?!", "conversation"),
        ("Last!", "conversation"),
        ("--help", "help"),
        ("\x1b[31mred", "31mred"),
        ("x" * 200, "x" * 40),
    ],
)
def test_a_name_is_made_of_the_first_question(sessions: Sessions, question: str, name: str) -> None:
    assert sessions.create(None, "m", asked(question)).info.name == name
    assert sessions.create(None, "m", asked(question)).info.name == f"{name}-2"
    assert sessions.create(None, "m", asked(question)).info.name == f"{name}-3"
    assert sessions.get(name).dialogue == asked(question)


def test_a_question_without_words_is_called_by_its_attachment(sessions: Sessions) -> None:
    saved = sessions.create(None, "m", Dialogue(None, (Turn("", (Attachment("notes.txt", "x"),)),)))
    assert (saved.info.name, saved.info.title) == ("notes-txt", "notes.txt")


def test_the_title_is_one_short_line(sessions: Sessions) -> None:
    assert sessions.create("a", "m", asked(" two\n  lines ")).info.title == "two lines"
    assert sessions.create("b", "m", asked("word " * 100)).info.title.endswith("…")


@pytest.mark.parametrize("name", ["", " ", " a", "a\n", "a\x1bb", "-a", "last", "LAST", "x" * 101, "\ud800"])
def test_names_that_no_session_can_have(sessions: Sessions, name: str) -> None:
    sessions.create("trip", "m", RICH)
    with pytest.raises(UsageError) as refused:
        sessions.create(name, "m", RICH)
    assert refused.value.hint
    with pytest.raises(UsageError):
        sessions.rename("trip", name)
    assert [info.name for info in sessions.list()] == ["trip"]


def test_names_that_are_taken(sessions: Sessions) -> None:
    sessions.create("Café", "m", RICH)
    for name in ("Café", "cafe\u0301", "CAFÉ"):
        assert sessions.get(name).info.name == "Café"
        with pytest.raises(UsageError, match="already exists"):
            sessions.create(name, "m", RICH)
    sessions.create("other", "m", RICH)
    with pytest.raises(UsageError, match="already exists"):
        sessions.rename("other", "CAFE\u0301")
    assert sessions.rename("café", "CAFÉ").name == "CAFÉ"


def test_a_name_that_is_almost_right(sessions: Sessions) -> None:
    sessions.create("Lisbon-Trip", "m", RICH)
    for use in (sessions.get, lambda name: sessions.remove([name])):
        with pytest.raises(NotFoundError) as unknown:
            use("lisbon-tripp")
        assert "did you mean Lisbon-Trip?" in unknown.value.hint


def test_a_change_writes_only_what_differs(sessions: Sessions) -> None:
    saved = sessions.create("trip", "m", dialogue_of(3))
    with sqlite3.connect(sessions.path) as raw:
        raw.execute("CREATE TABLE written (id INTEGER)")
        raw.execute("CREATE TRIGGER t AFTER INSERT ON turns BEGIN INSERT INTO written VALUES (new.id); END")
    raw.close()
    more = sessions.update(saved, saved.dialogue.with_turn(Turn("four")), model="n", on_overflow="drop")
    assert (more.info.turns, more.info.model, more.on_overflow) == (4, "n", "drop")
    fewer = sessions.update(more, more.dialogue.without_last(3), model="n", on_overflow=None)
    again = sessions.get("trip")
    assert again == fewer
    assert again.dialogue == dialogue_of(1)
    raw = sqlite3.connect(sessions.path)
    assert raw.execute("SELECT count(*) FROM written").fetchone() == (1,)
    assert raw.execute("SELECT count(*) FROM turns").fetchone() == (1,)
    assert raw.execute("SELECT count(*) FROM texts").fetchone() == (2,)
    raw.close()


def test_the_second_writer_is_told(sessions: Sessions) -> None:
    first = second = sessions.create("trip", "m", dialogue_of(1))
    sessions.update(first, dialogue_of(2), model="m", on_overflow=None)
    with pytest.raises(SessionChangedError):
        sessions.update(second, dialogue_of(3), model="m", on_overflow=None)
    copy = sessions.fork(second, dialogue_of(3), model="m", on_overflow="drop")
    assert (copy.info.name, copy.info.session_id == second.info.session_id) == ("trip-2", False)
    assert sessions.get("trip-2") == copy
    assert sessions.get("trip").dialogue == dialogue_of(2)
    sessions.remove(["trip"])
    with pytest.raises(SessionChangedError):
        sessions.update(first, dialogue_of(3), model="m", on_overflow=None)


def test_a_new_name_leaves_everything_else(sessions: Sessions) -> None:
    saved = sessions.create("trip", "m", RICH)
    sessions.rename("last", "journey")
    renamed = sessions.get("journey")
    assert renamed == replace(saved, info=replace(saved.info, name="journey"))
    assert sessions.find("trip") is None
    assert sessions.find_id(saved.info.session_id) == renamed


def test_the_newest_come_first(sessions: Sessions) -> None:
    for name in ("a", "b", "c"):
        sessions.create(name, "m", asked(name))
    sessions.update(sessions.get("a"), asked("again"), model="m", on_overflow=None)
    assert [info.name for info in sessions.list()] == ["a", "c", "b"]
    assert [info.name for info in sessions.list(limit=2)] == ["a", "c"]
    assert sessions.get("last").info.name == "a"
    now = datetime.now(UTC)
    assert sessions.list(older_than=now - timedelta(days=1)) == ()
    assert len(sessions.list(older_than=now + timedelta(days=1))) == 3


def test_the_list_reads_an_index(sessions: Sessions) -> None:
    """With 10,000 sessions sorting them takes several times as long."""
    sessions.create("a", "m", RICH)
    raw = sqlite3.connect(sessions.path)
    plan = raw.execute("EXPLAIN QUERY PLAN SELECT name FROM sessions ORDER BY updated_at DESC, id DESC").fetchall()
    raw.close()
    assert "USING INDEX newest" in str(plan)
    assert "TEMP B-TREE" not in str(plan)


def test_all_are_removed_or_none(sessions: Sessions) -> None:
    for name in ("a", "b", "c"):
        sessions.create(name, "m", asked(name))
    with pytest.raises(NotFoundError):
        sessions.remove(["a", "nothing"])
    assert len(sessions.list()) == 3
    assert [info.name for info in sessions.remove(["A", "a", "b"])] == ["a", "b"]
    assert [info.name for info in sessions.list()] == ["c"]


def test_what_is_removed_is_no_longer_in_the_file(sessions: Sessions) -> None:
    sessions.create("other", "m", asked("nothing"))
    for remove in (
        lambda saved: sessions.remove([saved.info.name]),
        lambda saved: sessions.remove_id(saved.info.session_id),
    ):
        saved = sessions.create("secret", "m", asked("xylophone zebra"))
        assert b"xylophone" in sessions.path.read_bytes()
        remove(saved)
        assert b"xylophone" not in sessions.path.read_bytes()
        assert b"ylo" not in sessions.path.read_bytes(), "nor in the index"
        assert sessions.search("zebra", limit=3) == ()


@pytest.mark.parametrize("data", ["", "{", "[]", '{"question":"x"}', "null"])
def test_a_damaged_turn_is_said_and_can_be_removed(sessions: Sessions, data: str) -> None:
    sessions.create("good", "m", RICH)
    sessions.create("bad", "m", asked("x"))
    raw = sqlite3.connect(sessions.path)
    raw.execute("UPDATE turns SET data = ? WHERE id >= 2 << 20", (data,))
    raw.commit()
    raw.close()
    with pytest.raises(IntegrityError, match="session bad"):
        sessions.get("bad")
    assert sessions.get("good").dialogue == RICH
    assert len(sessions.list()) == 2
    sessions.rename("bad", "broken")
    assert [info.name for info in sessions.remove(["broken"])] == ["broken"]
