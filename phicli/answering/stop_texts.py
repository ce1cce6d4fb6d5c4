"""Text that ends an answer, found while the answer streams."""

from __future__ import annotations

from collections.abc import Sequence

from phicli.chat_format.reasoning import held_back


class StopTexts:
    """Lets text through up to the first stop text; what may be the beginning of one waits until that is certain.

    Engines have stop texts too, but they drop what waits when the limit of tokens comes
    (``findings/streamed_text_lost_at_limit.sh``), and do not find a text that begins in one context and ends in the
    next.

    Args:
        texts: the stop texts, none of them empty.
    """

    __slots__ = ("_held", "_texts", "found")

    def __init__(self, texts: Sequence[str]) -> None:
        self.found: str | None = None
        self._texts = tuple(texts)
        self._held = ""

    def feed(self, text: str) -> str:
        """Take the next text; return what is certain to stand in front of a stop text."""
        if not self._texts or self.found is not None:
            return "" if self._texts else text
        self._held += text
        places = [(place, stop) for stop in self._texts if (place := self._held.find(stop)) >= 0]
        if places:
            certain, self.found = min(places)
        else:
            certain = len(self._held) - held_back(self._held, self._texts)
        ready, self._held = self._held[:certain], "" if self.found else self._held[certain:]
        return ready

    def finish(self) -> str:
        """Return what waited, at the end of the text."""
        rest, self._held = self._held, ""
        return rest
