"""What to type next when ``phi bench`` fails.

The layers below think of the command that most people type, ``phi chat``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from phicli.errors import PhiError

_INSTEAD: Final = (
    ("name the model first, then what to ask: phi chat tiny-phi 'your question'", "see the names of models: phi list"),
    ("phi chat tiny-phi hello", "phi bench tiny-phi"),
    ("phi chat", "phi bench"),
)
"""What is in the hints of the layers below, and what stands there for ``phi bench``; the first that fits counts."""


@contextlib.contextmanager
def bench_hints() -> Iterator[None]:
    """Hints of errors that name ``phi bench``."""
    try:
        yield
    except PhiError as error:
        error.hint = hint_for_bench(error.hint)
        raise


def hint_for_bench(hint: str) -> str:
    """``hint`` with commands that measure where it has those that talk."""
    for words, instead in _INSTEAD:
        hint = hint.replace(words, instead)
    return hint
