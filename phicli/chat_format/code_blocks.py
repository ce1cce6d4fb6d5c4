"""Code blocks of an answer in Markdown, followed while it streams."""

from __future__ import annotations

import re
from typing import Final

_FENCE: Final = re.compile(r"[\s>]*(`{3,}|~{3,})(.*)")
_LONGEST_LINE: Final = 200
"""Characters of a line that are looked at: a fence stands at its beginning."""


class CodeBlocks:
    """Says whether text that was fed so far ends inside a fenced code block.

    The fences are those of CommonMark, at any indentation: models write them inside of lists.
    """

    __slots__ = ("_fence", "_line", "inside")

    def __init__(self) -> None:
        self.inside = False
        self._fence = ""
        self._line = ""

    @property
    def fence(self) -> str:
        """The line that ends the block that is open; empty outside of one."""
        return self._fence if self.inside else ""

    def feed(self, text: str) -> bool:
        """Take the next text; True where a code block begins or ends in it."""
        before = self.inside
        for part in text.splitlines(keepends=True):
            self._line += part[: _LONGEST_LINE - len(self._line)]
            if part[-1] in "\r\n":
                self._end_line()
        return self.inside != before

    def _end_line(self) -> None:
        match = _FENCE.match(self._line)
        self._line = ""
        if match is None:
            return
        fence, rest = match[1], match[2].strip()
        if not self.inside and not (fence[0] == "`" and "`" in rest):
            self.inside, self._fence = True, fence
        elif self.inside and fence.startswith(self._fence) and not rest:
            self.inside = False
