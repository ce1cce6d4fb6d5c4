"""What a person should know while many requests are answered."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from phicli.answering.types import Notice

_MOST_TEXTS: Final = 20
_WAIT: Final = "; trying again in "
_OF_ONE_ANSWER: Final = ("attempt ", "the model made a wrong tool call")


class Notices:
    """Passes on each text once, and not more than 20 of them; threads may share it.

    What concerns one answer alone, such as a further attempt, is not passed on. Of texts that differ only in how long
    a request waits, the first one is passed on.

    Args:
        say: gets the texts.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said: set[str] = set()
        self._lock = threading.Lock()

    def notice(self, notice: Notice) -> None:
        """Pass on a notice of an answer."""
        if not notice.text.startswith(_OF_ONE_ANSWER):
            self.text(notice.text)

    def text(self, text: str) -> None:
        """Pass on any text."""
        what = text.partition(_WAIT)[0]
        with self._lock:
            if what in self._said or len(self._said) >= _MOST_TEXTS:
                return
            self._said.add(what)
        self._say(text)
