"""Emphasis, code and links inside a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from phicli.ui.markdown.styles import Span, is_complete

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

_SPECIAL: Final = re.compile(r"[*_`\[\]<~\\$]")
_OPEN: Final = re.compile(
    r"(?<!\w)[*_]+(?=\S)|(?<=[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3])\*+(?=\S)"
    r"|`|~~(?=\S)|\[[^\]]*$|\]\([^)]*$|<(?=[\w/])[^>]*$|\\[(\[]"
)
"""What may begin emphasis, code or a link whose end is not there yet; looked for in text that no pair has claimed."""
_CLOSING: Final = re.compile(r"[*_`~\])>]")
"""Without one of these nothing that is open ends."""
_MOST_CHECKS: Final = 16
"""Words with such a character, after which the end of something open is no longer waited for."""
_AS_IT_IS: Final = re.compile(
    r"\\\(.{0,200}?\\\)|\\\[.{0,200}?\\\]|\\[()\[\]]"  # LaTeX, closed or not
    r"|\$\$[^$]{1,200}\$\$|\$(?=[^\s$])[^$]{0,200}(?<=\S)\$(?!\d)"
    r"|(?<=[0-9A-Za-z)\]])\*+(?=[0-9A-Za-z(\[])"  # 2*3*4
    r"|(?<!\w)__[A-Za-z0-9]\w{0,80}__(?!\w)"  # __init__
)
"""What Markdown takes for marks, but an answer means as text."""
_STYLES: Final = {"strong": "bold", "em": "italic", "s": "strike", "link": "underline"}
CODE_STYLE: Final = "cyan"


@lru_cache(maxsize=1)
def parser() -> MarkdownIt:
    """The parser: CommonMark with tables and strikethrough; HTML, entities and link definitions stay text."""
    from markdown_it import MarkdownIt

    from phicli.ui.markdown.emphasis import EastAsianInline

    parser = MarkdownIt()
    parser.inline = EastAsianInline()
    parser.configure("commonmark", {"html": False})
    parser.inline.ruler.before("escape", "as_it_is", _as_it_is)
    return parser.enable(["table", "strikethrough"]).disable(["entity", "reference", "html_inline", "html_block"])


class OpenMarks:
    """Whether the end of some emphasis, code or link may still come, in text that grows."""

    def __init__(self) -> None:
        self._length = 0  # of the text that was found open
        self._checks = 0

    def are_in(self, text: str) -> bool:
        """Whether there are any in ``text``, which begins with the text of the call before.

        A letter that follows the text decides whether marks at its end may open something, so it belongs to the text.

        After ``False`` the text is printed: what follows it is asked of another instance.
        """
        if self._length and not _CLOSING.search(text, self._length):
            return True
        self._length, self._checks = len(text), self._checks + 1
        return self._checks <= _MOST_CHECKS and _is_open(text)


def _is_open(text: str) -> bool:
    if not _SPECIAL.search(text):
        return False
    free = "".join(token.content if token.type == "text" else "\ufffc" for token in _tokens(text))
    return _OPEN.search(free) is not None


def spans(text: str) -> tuple[Span, ...]:
    """``text`` without its marks, in styles; a link is followed by its address. No word of it is lost."""
    if not _SPECIAL.search(text):
        return (Span(text),)
    result = tuple(_styled(text))
    return result if is_complete(text, "".join(span.text for span in result)) else (Span(text),)


def _tokens(text: str) -> list[Token]:
    # White space at both ends is part of the line, but the parser would drop it.
    tokens = parser().parseInline(text)
    return tokens[0].children or [] if tokens else []


def _as_it_is(state: StateInline, silent: bool) -> bool:
    """The rule of the parser for :data:`_AS_IT_IS`."""
    if state.src[state.pos] not in "\\$*_" or not (match := _AS_IT_IS.match(state.src, state.pos)):
        return False
    if not silent and len(match[0]) == 2 and match[0][0] == "\\":
        state.pending += match[0]  # text: what belongs to it may still come
    elif not silent:
        state.push("as_it_is", "", 0).content = match[0]
    state.pos = match.end()
    return True


def _styled(text: str) -> Iterator[Span]:
    body = text.strip(" \t")
    if not body:
        yield Span(text)
        return
    start = text.index(body)
    yield Span(text[:start])
    yield from _body(body)
    yield Span(text[start + len(body) :])


def _body(text: str) -> Iterator[Span]:
    active: list[str] = []
    address = label = ""
    for token in _tokens(text):
        name = token.type.removesuffix("_open").removesuffix("_close")
        if token.nesting == 1:
            active.append(_STYLES.get(name, ""))
            if name == "link":
                address, label = _target(token, "href"), ""
        elif token.nesting == -1:
            active.pop()
            if name == "link" and label not in (address, address.removeprefix("mailto:")):
                yield Span(f" ({address})")
        elif token.type == "image":
            yield Span(f"{token.content} ({_target(token, 'src')})")
        else:
            shown = "\n" if token.type in ("softbreak", "hardbreak") else token.content
            label += shown
            yield Span(shown, " ".join(filter(None, [*active, CODE_STYLE if token.type == "code_inline" else ""])))


def _target(token: Token, name: str) -> str:
    """The address of a link or image, and its title where it has one."""
    title = token.attrs.get("title")
    return f'{token.attrs.get(name, "")} "{title}"' if title else str(token.attrs.get(name, ""))
