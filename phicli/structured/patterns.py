"""Searches for a regular expression that end in time, however the expression is written.

Python's ``re`` can take years for one search, and cannot be interrupted. So the check of an answer searches with the
package ``regex``, which takes a time limit, also within jsonschema.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Final

_SECONDS: Final = 1.0
"""For all searches of one check."""
_READ_OTHERWISE: Final = re.compile(r"\\N\{[^}]*\}|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{(?!\d*,?\d*\})", re.DOTALL)
"""Escaped characters, which stay; classes, and braces without numbers, which ``regex`` reads in another way."""
_BRACKET: Final = re.compile(r"\\.|\[", re.DOTALL)
_end: ContextVar[float | None] = ContextVar("end", default=None)


@contextmanager
def time_for_searches(seconds: float = _SECONDS) -> Iterator[None]:
    """Within it all searches together take at most ``seconds``, or what is left of the time around it."""
    end, around = time.monotonic() + seconds, _end.get()
    token = _end.set(end if around is None else min(end, around))
    try:
        yield
    finally:
        _end.reset(token)


def search(pattern: str, text: str) -> bool:
    """Whether ``pattern`` matches a part of ``text``; False if the search does not end in time."""
    return _search(pattern, text, "search")


def matches(pattern: str, text: str) -> bool:
    """Whether ``pattern`` matches all of ``text``; False if the search does not end in time."""
    return _search(pattern, text, "fullmatch")


def guard_jsonschema() -> None:
    """Make jsonschema search with :func:`search`.

    Its keywords use the module ``re`` in several files and are looked up by ``$schema`` at each level: replacing
    single keywords would leave some out.
    """
    for name, module in list(sys.modules.items()):
        if name.startswith("jsonschema.") and getattr(module, "re", None) is re:
            vars(module)["re"] = _Guarded()


class _Guarded:
    """The module ``re``, where a search ends in time."""

    search = staticmethod(search)

    def __getattr__(self, name: str) -> Any:
        return getattr(re, name)


def _search(pattern: str, text: str, method: str) -> bool:
    import regex

    left = _SECONDS if (end := _end.get()) is None else end - time.monotonic()
    if left <= 0:
        return False
    try:
        return getattr(_compiled(pattern), method)(text, timeout=left, concurrent=True) is not None
    except (TimeoutError, regex.error):
        return False


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    """``pattern`` of Python's ``re`` for ``regex``, which has ``[[:alpha:]]`` and inexact matches ``a{e<=1}``."""
    import regex

    return regex.compile(_READ_OTHERWISE.sub(_escaped, pattern))


def _escaped(part: re.Match[str]) -> str:
    if part[0] == "{":
        return r"\{"
    if part[0][0] == "\\":
        return part[0]
    return "[" + _BRACKET.sub(lambda inner: inner[0] if inner[0][0] == "\\" else r"\[", part[0][1:])
