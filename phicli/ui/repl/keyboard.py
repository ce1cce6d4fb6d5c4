"""Turns what a terminal sends into keys; a paste is one key, however long it is."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections.abc import Iterator
from typing import Final, TextIO

from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.input.vt100_parser import Vt100Parser
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys

from phicli.ui.bursts import is_ready, read_burst

_PASTE_ENDS: Final = "\x1b[201~"
_PART: Final = re.compile(
    r"(?P<paste>\x1b\[200~)"
    r"|(?P<sequence>\x1b{1,2}(?:\[\[?[0-9;:<=>?]*[ -/]*[@-~]|O[ -~])|\x1b[^\x1b\[O])"
    r"|(?P<unfinished>\x1b{1,2}(?:\[\[?[0-9;:<=>?]*[ -/]*|O)?\Z)"
    r"|(?P<text>[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+)"
    r"|(?P<control>.)",
    re.DOTALL,
)
_LONG_CHARACTERS: Final = 256
"""Nobody types that many characters in one burst."""


class KeyParser:
    """Makes keys of bursts.

    Several lines in one burst are a paste: a break between them is part of the text, and the last one is the key Enter.
    """

    def __init__(self) -> None:
        self._decoder = getincrementaldecoder("utf-8")(errors="surrogateescape")
        self._unfinished = ""
        self._paste: list[str] | None = None
        self._pasted = ""
        self._keys: list[KeyPress] = []
        self._parser = Vt100Parser(self._keys.append)

    def keys(self, burst: bytes) -> list[KeyPress]:
        """The keys of a burst. The beginning of an escape sequence at its end waits for the next one."""
        self._feed(self._unfinished + self._decoder.decode(burst))
        return self._taken()

    def flushed(self) -> list[KeyPress]:
        """The keys of what was unfinished: Escape itself, as nothing followed it."""
        self._parser.feed_and_flush(self._unfinished)
        self._unfinished = ""
        return self._taken()

    def _taken(self) -> list[KeyPress]:
        keys = self._keys.copy()
        self._keys.clear()
        return keys

    def _feed(self, text: str) -> None:
        self._unfinished = ""
        parts = list(self._parts(text))
        texts = [number for number, (kind, _) in enumerate(parts) if kind == "text"]
        for number, (kind, part) in enumerate(parts):
            if kind == "pasted":
                self._keys.append(KeyPress(Keys.BracketedPaste, part))
            elif kind == "text":
                self._feed_text(part, more=number != texts[-1])
            else:
                self._parser.feed_and_flush(part)

    def _parts(self, text: str) -> Iterator[tuple[str, str]]:
        """Kind and text of each part; what is unfinished is put aside."""
        position = 0
        while position < len(text):
            if self._paste is not None:
                position = self._take_pasted(text, position)
                if self._paste is not None:
                    return
                yield "pasted", self._pasted
                continue
            match = _PART.match(text, position)
            assert match is not None  # noqa: S101 (any character is a part)
            position = match.end()
            if match.lastgroup == "paste":
                self._paste = []
            elif match.lastgroup == "unfinished":
                self._unfinished = match[0]
            else:
                yield str(match.lastgroup), match[0]

    def _take_pasted(self, text: str, position: int) -> int:
        """Take from ``text`` what belongs to a bracketed paste; returns where it ends."""
        assert self._paste is not None  # noqa: S101 (asked before)
        tail = self._paste.pop() if self._paste else ""  # the end mark can come in two bursts
        rest = tail + text[position:]
        end = rest.find(_PASTE_ENDS)
        if end < 0:
            cut = max(0, len(rest) - len(_PASTE_ENDS))
            self._paste += [rest[:cut], rest[cut:]]
            return len(text)
        self._pasted, self._paste = "".join([*self._paste, rest[:end]]), None
        return position + end + len(_PASTE_ENDS) - len(tail)

    def _feed_text(self, text: str, *, more: bool) -> None:
        """``more``: another text follows in this burst."""
        lines = len(text.splitlines())
        if len(text) < _LONG_CHARACTERS and lines < 2 and not (more and text.endswith("\r")):
            self._parser.feed_and_flush(text)
            return
        enter = text.endswith("\r") and not more
        self._keys.append(KeyPress(Keys.BracketedPaste, text[:-1] if enter else text))
        if enter:
            self._keys.append(KeyPress(Keys.ControlM, "\r"))


class Keyboard(Vt100Input):
    """The keyboard of a terminal."""

    def __init__(self, stdin: TextIO) -> None:
        super().__init__(stdin)
        self._parser = KeyParser()

    def keys_of(self, burst: bytes) -> list[KeyPress]:
        """The keys of what was read elsewhere."""
        return self._parser.keys(burst)

    def read_keys(self) -> list[KeyPress]:
        """The keys that were pressed since the last time."""
        try:
            return self._parser.keys(read_burst(self.fileno())) if is_ready(self.fileno()) else []
        except EOFError:
            self.stdin_reader.closed = True
            return []

    def flush_keys(self) -> list[KeyPress]:
        """The keys of what was unfinished."""
        return self._parser.flushed()
