"""Full text search over saved sessions, in every script."""

from __future__ import annotations

import pytest

from phicli.chat.dialogue import Attachment, Dialogue, Turn
from phicli.chat.store.sessions import Sessions
from phicli.chat_format.types import Message
from phicli.errors import UsageError


def dialogue(*turns: tuple[str, str]) -> Dialogue:
    return Dialogue(None, tuple(Turn(question, (), (Message("assistant", answer),)) for question, answer in turns))


def places(sessions: Sessions, text: str, limit: int = 10) -> list[tuple[str, int, str]]:
    return [(one.info.name, one.turn, one.role) for one in sessions.search(text, limit=limit)]


def test_questions_and_answers_are_found_newest_session_first(sessions: Sessions) -> None:
    sessions.create("old", "m", dialogue(("trains", "the Ghan"), ("more trains", "none")))
    sessions.create("new", "m", dialogue(("ships", "TRAINS are not ships")))
    assert places(sessions, "trains") == [("new", 1, "assistant"), ("old", 1, "user"), ("old", 2, "user")]
    assert places(sessions, "trains", 2) == [("new", 1, "assistant"), ("old", 1, "user")]
    assert places(sessions, "nothing of it") == []


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("東京の天気は晴れです", "天気"),
        ("東京の天気は晴れです", "晴"),
        ("東京の天気は晴れです", "の天気は"),
        ("Äpfel und ÖL", "öl"),
        ("Äpfel und Öl", "äPFEL"),
        ("a C program", "c"),
        ("100% sure_thing", "%"),
        ("100% sure_thing", "e_t"),
        ('he said "no" OR yes', '"no" OR'),
        ("title: NEAR(a b)", "title: NEAR("),
        ("x* AND y", "x* AND"),
        ("it's -v", "-v"),
        ("a\0b and more", "b and"),
        ("C:\\path", "\\p"),
    ],
)
def test_text_is_text(sessions: Sessions, said: str, text: str) -> None:
    sessions.create("other", "m", dialogue(("-", "-")))
    sessions.create("trip", "m", dialogue((said, "-")))
    (one,) = [one for one in sessions.search(text, limit=9) if one.info.name == "trip"]
    assert (one.turn, one.role) == (1, "user")
    marked = one.excerpt.partition("\x02")[2].partition("\x03")[0]
    assert marked.casefold() == text.casefold()


@pytest.mark.parametrize("text", ["%%", "x_y", '"', "plain OR words", "pla*", "(", "\ud800\ud800\ud800"])
def test_what_would_mean_everything_means_itself(sessions: Sessions, text: str) -> None:
    sessions.create("trip", "m", dialogue(("plain words", "xay")))
    assert sessions.search(text, limit=3) == ()


@pytest.mark.parametrize("text", ["", "  ", "\0"])
def test_nothing_to_search_for(sessions: Sessions, text: str) -> None:
    with pytest.raises(UsageError) as refused:
        sessions.search(text, limit=3)
    assert "phi sessions search" in refused.value.hint


def test_attachments_are_found_by_name_and_text(sessions: Sessions) -> None:
    turn = Turn("see", (Attachment("budget.csv", "rent, 900"),))
    sessions.create("money", "m", Dialogue(None, (turn,)))
    assert places(sessions, "budget") == places(sessions, "rent, 9") == [("money", 1, "user")]


def test_the_words_around_a_match_are_shown(sessions: Sessions) -> None:
    sessions.create("long", "m", dialogue((f"{'before ' * 50}needle{' after' * 50}", "-")))
    (one,) = sessions.search("NEEDLE", limit=3)
    assert "\x02needle\x03" in one.excerpt
    assert one.excerpt.startswith("…")
    assert one.excerpt.endswith("…")
    assert len(one.excerpt) < 200


def test_what_was_undone_is_not_found(sessions: Sessions) -> None:
    saved = sessions.create("trip", "m", dialogue(("first", "one"), ("second", "two")))
    changed = dialogue(("first", "uno"))
    sessions.update(saved, changed, model="m", on_overflow=None)
    assert places(sessions, "second") == places(sessions, "one") == []
    assert places(sessions, "uno") == [("trip", 1, "assistant")]
