"""The command for adapters: ``/adapter``."""

from __future__ import annotations

import re
from typing import Final

from phicli.chat.settings import texts_of
from phicli.chat.talk import Talk
from phicli.engine.types import NO_ADAPTERS
from phicli.paths import is_there

_MEANT: Final = re.compile(r"[\"']?(?:/|~|\.\.?/).*|.+\.gguf|.+:[+-]?[0-9.]+", re.DOTALL | re.IGNORECASE)
"""A path from the root, the home or this folder, a GGUF file, or anything with a scale."""
_HOW: Final = f"to use others: /adapter NAME[:SCALE]; to use none: /adapter {NO_ADAPTERS}"
_HOW_TO_ADD: Final = "to add one, in a shell: phi adapters add FOLDER-OR-FILE.gguf"


def are_adapters(text: str) -> bool:
    """Whether ``text`` is what may follow ``/adapter``; otherwise the line is a question.

    One word is meant as an adapter, also if there is none of this name. One of several words must be an adapter.
    """
    if is_there(text):
        return True
    words = texts_of(text)
    return not text.endswith("?") and (len(words) == 1 or any(map(_is_adapter, words)))


def adapter(talk: Talk, text: str) -> bool:
    """Show the adapters, or go on with others."""
    models = talk.models
    if text:
        models.change_adapters([text] if is_there(text) else texts_of(text))
    used = ", ".join(models.adapters())
    talk.screen.tell(f"adapters: {used or NO_ADAPTERS}")
    if not text:
        others = ", ".join(models.other_adapters())
        talk.screen.tell(f"{'others' if used else 'those'} that fit {models.name}: {others or NO_ADAPTERS}")
        talk.screen.tell(_HOW if others or used else _HOW_TO_ADD)
    return True


def _is_adapter(word: str) -> bool:
    """Whether ``word`` can only be meant as an adapter: it looks like one, or has a name here."""
    from phicli.adapters.registry import find

    return _MEANT.fullmatch(word) is not None or find(word) is not None
