"""Text with variables in braces: ``Translate this into {language}: {input}``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

INPUT: Final = "input"
"""The variable that stands for everything that would be sent without a template."""
NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_MARK: Final = re.compile(rf"\{{\{{|\}}\}}|\{{({NAME.pattern})\}}|[{{}}]")
_SHOWN: Final = 20


class BraceError(ValueError):
    """A brace that neither belongs to a variable nor is doubled; the text names it."""


@dataclass(frozen=True, slots=True)
class TemplateText:
    """A text with variables.

    ``parts`` are alternately literal text and the name of a variable: the first and the last are literal.
    """

    parts: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The variables in their order, each once."""
        return tuple(dict.fromkeys(self.parts[1::2]))

    @property
    def takes_input(self) -> bool:
        """Whether ``{input}`` is in it."""
        return INPUT in self.names

    @property
    def behind_input(self) -> TemplateText | None:
        """The text behind ``{input}`` and a blank line, where it begins with them and has no other ``{input}``."""
        if self.parts[:2] != ("", INPUT) or INPUT in self.parts[3::2] or not self.parts[2].startswith("\n\n"):
            return None
        return replace(self, parts=(self.parts[2].lstrip("\n"), *self.parts[3:]))

    def filled(self, values: Mapping[str, str]) -> TemplateText:
        """The text with ``values`` in place of their variables; other variables stay. Braces in a value are text."""
        parts = [self.parts[0]]
        for name, literal in zip(self.parts[1::2], self.parts[2::2], strict=True):
            if name in values:
                parts[-1] += values[name] + literal
            else:
                parts += [name, literal]
        return TemplateText(tuple(parts))

    def whole(self, values: Mapping[str, str] | None = None) -> str:
        """The text as a string, with ``values`` for all of its variables."""
        (text,) = self.filled(values or {}).parts
        return text


def read_text(text: str) -> TemplateText:
    """The variables of ``text``: ``{name}``; ``{{`` and ``}}`` stand for one brace.

    Raises:
        BraceError: a brace stands alone.
    """
    parts, at = [""], 0
    for mark in _MARK.finditer(text):
        literal = text[at : mark.start()]
        at = mark.end()
        if mark[1] is not None:
            parts[-1] += literal
            parts += [mark[1], ""]
        elif len(mark[0]) == 2:
            parts[-1] += literal + mark[0][0]
        else:
            raise BraceError(_shown(text, mark.start()))
    parts[-1] += text[at:]
    return TemplateText(tuple(parts))


def _shown(text: str, at: int) -> str:
    """The brace with the text around it on its line."""
    begins = max(text.rfind("\n", 0, at) + 1, at - _SHOWN)
    return text[begins : at + _SHOWN].partition("\n")[0].strip()
