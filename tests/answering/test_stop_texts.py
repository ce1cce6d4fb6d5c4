"""Stop texts are found wherever the stream is cut."""

from __future__ import annotations

import pytest

from phicli.answering.stop_texts import StopTexts


def through(text: str, *stops: str, step: int = 1) -> tuple[str, str | None]:
    """What comes through when ``text`` arrives in parts of ``step`` characters, and the stop text that was found."""
    watch = StopTexts(stops)
    parts = [watch.feed(text[place : place + step]) for place in range(0, len(text), step)]
    return "".join(parts) + watch.finish(), watch.found


@pytest.mark.parametrize("step", [1, 2, 5, 100])
def test_the_text_before_the_first_stop_text_comes_through(step: int) -> None:
    assert through("one END two STOP", "STOP", "END", step=step) == ("one ", "END")
    assert through("日本😀語", "😀", step=step) == ("日本", "😀")
    assert through("aab", "ab", step=step) == ("a", "ab")
    assert through("END", "END", step=step) == ("", "END")


@pytest.mark.parametrize("step", [1, 3])
def test_nothing_is_lost_where_a_stop_text_only_begins(step: int) -> None:
    assert through("no EN", "END", step=step) == ("no EN", None)
    assert through("EEEN EN", "END", step=step) == ("EEEN EN", None)


def test_what_cannot_be_a_stop_text_comes_at_once() -> None:
    watch = StopTexts(["\nUser:"])
    assert [watch.feed(part) for part in ("Hi", "\nUs", "ual", "\n")] == ["Hi", "", "\nUsual", ""]
    assert watch.finish() == "\n"


def test_without_stop_texts_all_comes_through() -> None:
    assert through("all of it") == ("all of it", None)
