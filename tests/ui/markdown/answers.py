"""Answers made of the parts of Markdown, with what a reader has to find of each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hypothesis import strategies as st

from phicli.ui.terminal import harmless

_URL: Final = "https://example.com/a_b"
PLAIN: Final = st.sampled_from(
    (
        *("word", "Über", "co-op", "don't", "e\u0301te\u0301", "日本語", "テスト", "한국어", "שלום", "مرحبا"),
        *("👩\u200d🚀", "wo\x1brd", "nul\x00l"),
    )
)
LITERAL: Final = st.sampled_from(
    (
        *("2*3*4", "\x1b[2Jgone", "a**b", "__init__", "snake_case", r"C:\dir", "a<b", "<b>", "&amp;", "[1]", "[^1]"),
        *(r"\(x_1*y*z\)", "$a*b*c$", "$5", "x" * 60, "~", "w" * 30 + "é" * 30),
    )
)
"""Words that are printed as they are, marks and all."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some Markdown, and what is printed of it: its words in their order, its lines of code."""

    source: str
    words: tuple[str, ...] = ()
    code: tuple[str, ...] = ()


def joined(parts: list[Part], between: str) -> Part:
    """Parts after one another."""
    return Part(
        between.join(part.source for part in parts),
        tuple(word for part in parts for word in part.words),
        tuple(line for part in parts for line in part.code),
    )


def _as_it_is(word: str) -> Part:
    return Part(word, (harmless(word),))


def _marked(word: str, mark: str) -> Part:
    return Part(f"{mark}{word} {word}{mark}", (harmless(word), harmless(word)))


def _between(word: str, mark: str) -> Part:
    return Part(f"这是{mark}{word}{mark}的", ("这是", harmless(word), "的"))


def _linked(word: str, title: str) -> Part:
    found = (title[2:-1],) if title else ()
    return Part(f"[{word}]({_URL}{title})", (harmless(word), _URL, *found))


INLINE: Final = st.one_of(
    PLAIN.map(_as_it_is),
    LITERAL.map(_as_it_is),
    st.builds(_marked, PLAIN, st.sampled_from(("**", "*", "_", "***", "~~", "`", "``"))),
    st.builds(_between, PLAIN, st.sampled_from(("**", "*", "`"))),
    st.builds(_linked, PLAIN, st.sampled_from(("", ' "title"'))),
)
PROSE: Final = st.lists(INLINE, min_size=1, max_size=12).map(lambda parts: joined(parts, " "))
SIMPLE: Final = st.lists(PLAIN.map(_as_it_is), min_size=1, max_size=12).map(lambda parts: joined(parts, " "))


def _around(before: str, part: Part, after: str = "") -> Part:
    return Part(f"{before}{part.source}{after}", part.words, part.code)


def _heading(level: int, part: Part, end: str) -> Part:
    return _around("#" * level + " ", part, end)


def _items(items: list[tuple[int, str, str, Part]]) -> Part:
    """A nested list; an item is at most one level deeper than the one before."""
    lines, last = [], -1
    for depth, mark, box, part in items:
        last = min(depth, last + 1)
        lines.append(_around(f"{' ' * 3 * last}{mark} {box}", part))
    return joined(lines, "\n")


def _quote(depth: int, mark: str, part: Part) -> Part:
    return _around("> " * depth + mark, part)


def _fenced(indent: int, mark: str, fence: str, info: str, lines: list[str]) -> Part:
    """A code block, also behind the mark of a list."""
    first = " " * indent + mark
    inner = " " * len(first)
    body = "".join(f"{inner}{line}\n" if line else "\n" for line in lines)
    return Part(f"{first}{fence}{info}\n{body}{inner}{fence}", code=tuple(lines))


def _table(indent: int, rows: list[tuple[str, str]]) -> Part:
    lines = [f"| {a} | **{b}** |" for a, b in rows]
    lines.insert(1, "|---|--:|")
    source = "\n".join(" " * indent + line for line in lines)
    return Part(("- item\n\n" if indent else "") + source, tuple(harmless(word) for row in rows for word in row))


CODE_LINES: Final = st.lists(
    st.sampled_from(
        (
            *(
                "x = 2*3*4",
                "",
                "    return **kwargs",
                "\tindent\t# tab",
                '"""',
                "| a | b |",
                "- x",
                "> y",
                "# no heading",
            ),
            "very_long_name = " + "some_call(" * 20,
        )
    ),
    max_size=6,
)
FENCED: Final = st.builds(
    _fenced, st.sampled_from((0, 3)), st.sampled_from(("", "- ", "10. ")), st.sampled_from(("```", "~~~", "`````")),
    st.sampled_from(("", "python", "unknown x=1")), CODE_LINES,
)  # fmt: skip
_ITEM: Final = st.tuples(
    st.integers(0, 3), st.sampled_from(("-", "*", "+", "3.", "12)")), st.sampled_from(("", "[ ] ", "[x] ")), PROSE
)
BLOCKS: Final = st.one_of(
    PROSE,
    st.builds(_heading, st.integers(1, 6), PROSE, st.sampled_from(("", " #"))),
    st.builds(lambda part, line: _around("", part, f"\n{line}"), PROSE, st.sampled_from(("====", "---"))),
    st.lists(_ITEM, min_size=1, max_size=5).map(_items),
    st.builds(_quote, st.integers(1, 3), st.sampled_from(("", "- ", "1. ")), PROSE),
    FENCED,
    st.builds(_table, st.sampled_from((0, 2, 4)), st.lists(st.tuples(PLAIN, PLAIN), min_size=2, max_size=4)),
    st.builds(lambda a, b: joined([_around("", a, "  "), b], "\n"), PROSE, PROSE),
    st.just(Part("\\[\nx_1*y*z \\\\\n\\]", ("\\[", r"x_1*y*z\\", "\\]"))),
    st.just(Part("> ```\n> a = 2**3**4\n> ```", ("```", "a=2**3**4", "```"))),
    st.just(Part("<details>\n<b>html</b>\n</details>", ("<details>", "<b>html</b>", "</details>"))),
    st.just(Part("---")),
)
"""What an answer is made of."""


def _answer(blocks: list[Part], between: str, tail: Part) -> Part:
    return joined([*blocks, tail], between)


def _unclosed(part: Part) -> Part:
    return Part(part.source.rpartition("\n")[0], code=part.code)


ANSWERS: Final = st.builds(
    _answer, st.lists(BLOCKS, max_size=5), st.sampled_from(("\n\n", "\n\n\n")), BLOCKS | FENCED.map(_unclosed)
)
