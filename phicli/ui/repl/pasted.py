"""Long pasted texts: the line shows a short name, and what is sent has the text."""

from __future__ import annotations

import re
from typing import Final

MOST_CHARACTERS: Final = 10_000
MOST_LINES: Final = 200
"""The editing of a line gets slow with more than that."""
_BEGINNING: Final = "[pasted text"
_NAME: Final = re.compile(r"\[pasted text(?: [0-9]+)?: [0-9,]+ (?:lines|characters)\]")


class PastedTexts:
    """The long texts that were pasted in a conversation."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def shown(self, text: str) -> str:
        """What stands in the line for ``text``: itself, or a name for a long text."""
        lines = text.count("\n") + 1
        if len(text) <= MOST_CHARACTERS and lines <= MOST_LINES:
            return text
        size = f"{lines:,} lines" if lines > 1 else f"{len(text):,} characters"
        name, number = f"[pasted text: {size}]", 1
        while self._texts.setdefault(name, text) != text:
            number += 1
            name = f"[pasted text {number}: {size}]"
        return name

    def whole(self, line: str) -> str:
        """``line`` with the texts in the place of their names."""
        return _NAME.sub(lambda match: self._texts.get(match[0], match[0]), line)

    def is_broken(self, line: str) -> bool:
        """Whether a name in ``line`` was changed, so that its text would not be sent."""
        return bool(self._texts) and _BEGINNING in _NAME.sub("", line)

    def name_before(self, text: str) -> str:
        """The name of a pasted text that ``text`` ends with; empty for none."""
        for match in _NAME.finditer(text):
            if match.end() == len(text) and match[0] in self._texts:
                return match[0]
        return ""
