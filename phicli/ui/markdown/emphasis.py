"""Emphasis that ends or begins with punctuation beside a letter of a script without spaces, as in ``**注意。**次``.

CommonMark takes such stars for text, because it expects a space there.
"""

from __future__ import annotations

from markdown_it import MarkdownIt
from markdown_it.common.utils import isMdAsciiPunct, isPunctChar
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Scanned
from markdown_it.token import Token
from markdown_it.utils import EnvType

from phicli.ui.markdown.words import breaks_anywhere


class EastAsianInline(ParserInline):
    """The parser of marks inside a line, with our rule of what opens and closes emphasis."""

    def parse(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> list[Token]:
        """Add the tokens of ``src`` to ``tokens``."""
        state = _State(src, md, env, tokens)
        self.tokenize(state)
        for rule in self.ruler2.getRules(""):
            rule(state)
        return state.tokens


class _State(StateInline):
    def scanDelims(self, start: int, canSplitWord: bool) -> Scanned:  # noqa: N802, N803 (its names)
        """Stars between punctuation and such a letter open or close, where CommonMark sees neither."""
        scanned = super().scanDelims(start, canSplitWord)
        before, after = self.src[start - 1 : start], self.src[start + scanned.length :][:1]
        if not canSplitWord or not before or not after:
            return scanned
        return Scanned(
            scanned.can_open or (breaks_anywhere(before) and _is_punctuation(after)),
            scanned.can_close or (breaks_anywhere(after) and _is_punctuation(before)),
            scanned.length,
        )


def _is_punctuation(letter: str) -> bool:
    return isMdAsciiPunct(ord(letter)) or isPunctChar(letter)
