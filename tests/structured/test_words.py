"""The table of words in the documents is what the engine does."""

from __future__ import annotations

import pytest

from phicli.structured.limits import FORMATS
from phicli.structured.sending import IGNORED
from tests.structured.words import BEGIN, DOCUMENT, END, WORDS, table

pytestmark = pytest.mark.process


def test_the_table_in_the_documents_is_what_the_engine_does() -> None:
    assert DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0] == table()


def test_the_table_names_every_word_that_the_engine_does_not_hold() -> None:
    names = " ".join(word.name for word in WORDS)
    assert [word for word in (*IGNORED, *FORMATS) if f"`{word}`" not in names] == ["$dynamicAnchor"]
