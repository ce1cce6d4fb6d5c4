"""Long pasted texts."""

from __future__ import annotations

from phicli.ui.repl.pasted import PastedTexts

LONG = "line\n" * 31_401 + "end"


def test_a_long_text_has_a_short_name_and_is_sent_whole() -> None:
    pastes = PastedTexts()
    name = pastes.shown(LONG)
    assert name == "[pasted text: 31,402 lines]"
    assert pastes.whole(f"Explain {name}, please") == f"Explain {LONG}, please"
    assert pastes.shown("x" * 20_000) == "[pasted text: 20,000 characters]"


def test_a_short_text_stands_in_the_line() -> None:
    assert PastedTexts().shown("one\ntwo") == "one\ntwo"


def test_two_texts_of_one_size_have_two_names_and_one_text_has_one() -> None:
    pastes = PastedTexts()
    first, second = pastes.shown(LONG), pastes.shown(LONG.replace("end", "END"))
    assert second == "[pasted text 2: 31,402 lines]"
    assert pastes.shown(LONG) == first
    assert pastes.whole(second).endswith("END")


def test_what_only_looks_like_a_name_stays() -> None:
    assert PastedTexts().whole("[pasted text: 3 lines]") == "[pasted text: 3 lines]"
    assert PastedTexts().name_before("[pasted text: 3 lines]") == ""


def test_a_name_is_deleted_as_a_whole() -> None:
    pastes = PastedTexts()
    name = pastes.shown(LONG)
    assert pastes.name_before(f"Explain {name}") == name
    assert pastes.name_before(f"{name} again") == ""
