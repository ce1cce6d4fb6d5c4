"""Lines that wrap at words on a terminal; what a person may copy, a path or a command, gets no break inside."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Final, TextIO

from phicli.chat_format.code_blocks import CodeBlocks

COMMANDS: Final = (
    "adapters", "autotune", "batch", "bench", "cache", "chat", "config", "data", "doctor", "engine", "eval",
    "finetune", "help", "info", "list", "ls", "ps", "pull", "recommend", "remotes", "rm", "run", "runs", "serve",
    "sessions", "show", "stop", "templates",
)  # fmt: skip
"""What stands behind ``phi`` in a command; elsewhere ``phi`` is a word like any other."""

_PIECE: Final = r"(?:'[^']*'|\"[^\"]*\"|(?!; |, | \(|\)|'|\").|['\"])"
_COMMAND: Final = rf"(?:[A-Z_]+=\S+ )?(?:phi (?:{'|'.join(COMMANDS)})|(?:pip|pipx|hf|unset|ollama) [a-zA-Z])\b{_PIECE}*"
_PATH: Final = r"(?:~?/|\.\.?/|[A-Za-z]:\\)\S*(?:(?: [^\s;]+){0,3} [^\s;]*(?:[/\\][^\s;]*|\.gguf\b))*(?<![,;:.)'\"])"
_UNIT: Final = re.compile(rf"(\s*)(?:(?<![\w-])({_COMMAND})|(?<![\w/])({_PATH})|([(\"']|\S+?(?=[\s\"'(]|$)))")
_INDENT: Final = 2
_GAP: Final = re.compile(r"\S {2,}(?=\S)")
"""What stands between two columns."""
_HOLD: Final = 24
"""Columns at the right edge in which a word waits for its end, so that it can begin in the next line."""
_ENDLESS: Final = 1 << 30
_TAB: Final = 8
_LONGEST_START: Final = 40
_USUAL_COLUMNS: Final = 80
_UNBROKEN: Final = re.compile(r"(?: {4}|\t|\s*\|)")
"""The beginning of lines that are shown as they are: indented code, and tables."""


def columns_of(stream: TextIO) -> int | None:
    """The width of a terminal; None where ``stream`` is none, or its width is unknown. ``COLUMNS`` comes first."""
    try:
        if not stream.isatty():
            return None
        width = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return None
    given = os.environ.get("COLUMNS", "")
    return (int(given) if given.isdecimal() else width) or None


def width_of(stream: TextIO) -> int:
    """The width of a terminal; 80 where it is unknown."""
    return columns_of(stream) or _USUAL_COLUMNS


def wrapped(text: str, width: int, *, first: int = 0, indent: int = _INDENT) -> str:
    """One line of text as lines of at most ``width`` columns.

    Every line but the first is indented, so that no name in it can begin a line. A path or command that is longer than
    a line stands on a line of its own from its first column, for the terminal to wrap: it can be copied.

    Args:
        text: without line breaks.
        width: columns of the terminal.
        first: columns that are taken already.
        indent: columns in front of the other lines.
    """
    lines, column, alone = [""], first, False
    for gap, unit, is_long in _units(text, width - indent):
        taken = cells(unit)
        if alone and unit in (";", ","):  # the end of the line stands for it
            continue
        if not (alone or is_long) and (column + len(gap) + taken <= width or not lines[-1].strip()):
            lines[-1] += gap + unit
            column += len(gap) + taken
            continue
        alone = is_long
        lines.append(unit if alone else " " * indent + unit)
        column = taken + (0 if alone else indent)
    return "\n".join(lines)


def hanging(line: str, width: int) -> int:
    """The indent of the lines that ``line`` wraps into: its last column, where that is not too far."""
    columns = [gap.end() for gap in _GAP.finditer(line)]
    if columns and columns[-1] <= width // 2:
        return columns[-1]
    before = [column for column in columns if column <= width // 2]
    return max([len(line) - len(line.lstrip()), *before]) + _INDENT


def cells(text: str) -> int:
    """The columns that ``text`` takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _units(text: str, most: int) -> Iterator[tuple[str, str, bool]]:
    """White space, what follows it without a place to break, and whether that is a path or command above ``most``."""
    gap = unit = ""
    for match in _UNIT.finditer(text):
        whole, word = match[2] or match[3], match[4]
        is_long = whole is not None and cells(whole) > most
        if match[1] or is_long:
            if unit:
                yield gap, unit, False
            gap, unit = match[1], ""
        if is_long:
            yield gap, whole, True
            gap = ""
        else:
            unit += whole or word
    if unit:
        yield gap, unit, False


class StreamWrap:
    """Wraps text that streams to a terminal at words; nothing that was printed moves.

    A word waits for its end only near the right edge. Fenced and indented code, tables, and code between backticks are
    never broken.

    Args:
        stream: the terminal; None for text that is not wrapped.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._blocks = CodeBlocks()
        self._start = ""  # of the line that the model writes
        self._in_ticks = False
        self._column = 0
        self._gap = self._word = ""  # what waits: white space, and the beginning of the word behind it
        self._begun = False  # the beginning of the word is printed already

    def feed(self, text: str) -> str:
        """Take the next text; return what can be printed by now."""
        width = self._width()
        if width is None:
            return text
        return "".join(self._letter(letter, width) for letter in text)

    def _width(self) -> int | None:
        return None if self._stream is None else columns_of(self._stream)

    def finish(self) -> str:
        """Return what waited; call it before anything else is printed, in a line of its own."""
        rest = self._word_in(self._width() or _ENDLESS) + self._gap
        self._gap, self._begun, self._column = "", False, 0
        return rest

    def _letter(self, letter: str, width: int) -> str:
        self._blocks.feed(letter)
        if letter == "\n":
            ready = f"{self._word_in(width)}{self._gap}\n"
            self._start, self._gap, self._column, self._begun, self._in_ticks = "", "", 0, False, False
            return ready
        if len(self._start) < _LONGEST_START:
            self._start += letter
        self._in_ticks ^= letter == "`"
        if letter.isspace() and not self._in_ticks:
            ready = self._word_in(width)
            self._gap, self._begun = self._gap + letter, False
            return ready
        alone = not letter.isascii() and cells(letter) > 1  # scripts without spaces break anywhere
        ready = self._word_in(width) if alone else ""
        self._word, self._begun = self._word + letter, self._begun and not alone
        near = self._behind_gap + _HOLD > width
        if self._begun or alone or not near or cells(self._word) > _HOLD or self._keeps_line:
            ready += self._word_in(width)
            self._begun = not alone
        return ready

    @property
    def _keeps_line(self) -> bool:
        return self._blocks.inside or _UNBROKEN.match(self._start) is not None

    @property
    def _behind_gap(self) -> int:
        """The column in which the word begins, if it stays in this line."""
        column = self._column
        for space in self._gap:
            column += _TAB - column % _TAB if space == "\t" else 1
        return column

    def _word_in(self, width: int) -> str:
        """What waited of the word, in the next line where it does not fit into this one."""
        if not self._word:
            return ""
        taken = cells(self._word)
        if self._behind_gap + taken > width and self._column and not (self._begun or self._keeps_line):
            text, self._column = f"\n{self._word}", taken
        else:
            text, self._column = self._gap + self._word, self._behind_gap + taken
        self._gap = self._word = ""
        return text
