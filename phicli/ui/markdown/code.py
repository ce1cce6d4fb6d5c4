"""Code blocks: highlighted line by line, without a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from phicli.ui.markdown.styles import Span

if TYPE_CHECKING:
    from pygments.lexer import Lexer
    from rich.syntax import SyntaxTheme

_MOST_LINES: Final = 20
"""Lines that are read again while a string or comment goes on."""
_LONGEST_LINE: Final = 2000
"""Characters of a line that is still highlighted."""


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A fenced block of an answer.

    Args:
        language: the first word behind the fence; may be empty.
        text: the code without its fences and without the indentation of the opening fence.
    """

    language: str
    text: str


class Highlighter:
    """Styles the lines of one code block; each line is styled once.

    Args:
        language: its name or an alias; an unknown language stays plain.
    """

    def __init__(self, language: str) -> None:
        self._lexer, self._theme = _lexer(language), _theme()
        self._before: list[str] = []  # lines that the next line may continue: a string over several lines

    def line(self, text: str) -> tuple[Span, ...]:
        """The spans of the next line, without its end."""
        if self._lexer is None or not text.strip() or len(text) > _LONGEST_LINE:
            if self._before:
                self._before.append(text[:_LONGEST_LINE])
            return (Span(text),)
        start = sum(len(line) + 1 for line in self._before)
        found, goes_on = self._read(self._lexer, "\n".join([*self._before, text]) + "\n", start)
        self._before = [*self._before, text] if goes_on and len(self._before) < _MOST_LINES else []
        return found if "".join(span.text for span in found) == text else (Span(text),)

    def _read(self, lexer: Lexer, code: str, start: int) -> tuple[tuple[Span, ...], bool]:
        """The spans from ``start`` on, and whether a string or comment may go on behind ``code``."""
        from pygments.token import Comment, String

        found: list[Span] = []
        last, position = None, 0
        for kind, value in lexer.get_tokens(code):
            text = value[max(0, start - position) :].replace("\n", "")
            position += len(value)
            if value.strip():
                last = kind
            if text and position > start:
                found.append(Span(text, str(self._theme.get_style_for_token(kind)).replace("none", "")))
        goes_on = last is not None and (last in String or (last in Comment and last not in Comment.Single))
        return tuple(found), goes_on


def _lexer(language: str) -> Lexer | None:
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(language, stripnl=False, stripall=False, ensurenl=True) if language else None
    except ClassNotFound:
        return None


def _theme() -> SyntaxTheme:
    from rich.syntax import Syntax

    return Syntax.get_theme("ansi_dark")
