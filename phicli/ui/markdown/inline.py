"""Emphasis, code and links inside a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from phicli.ui.markdown.styles import Span, is_complete

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_SPECIAL: Final = re.compile(r"[*_`\[\]<~\\]")
_OPEN: Final = re.compile(r"(?<!\w)[*_]+(?=\S)|`|~~(?=\S)|\[[^\]]*$|\]\([^)]*$|<(?=[\w/])[^>]*$")
"""What may begin emphasis, code or a link whose end is not there yet; looked for in text that no pair has claimed."""
_STYLES: Final = {"strong": "bold", "em": "italic", "s": "strike", "link": "underline"}
CODE_STYLE: Final = "cyan"


@lru_cache(maxsize=1)
def parser() -> MarkdownIt:
    """The parser: CommonMark with tables and strikethrough; HTML, entities and link definitions stay text."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    return parser.disable(["entity", "reference", "html_inline", "html_block"])


def is_open(text: str) -> bool:
    """Whether the end of some emphasis, code or link in ``text`` may still come."""
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
                address, label = str(token.attrs.get("href", "")), ""
        elif token.nesting == -1:
            active.pop()
            if name == "link" and label not in (address, address.removeprefix("mailto:")):
                yield Span(f" ({address})")
        elif token.type == "image":
            yield Span(f"{token.content} ({token.attrs.get('src', '')})")
        else:
            shown = "\n" if token.type in ("softbreak", "hardbreak") else token.content
            label += shown
            yield Span(shown, " ".join(filter(None, [*active, CODE_STYLE if token.type == "code_inline" else ""])))
