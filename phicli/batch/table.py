"""The rows of a table: CSV, or columns with tabs between."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final, Protocol

from phicli.batch.lines import BOM, MOST_LINE_BYTES, skip
from phicli.batch.source import in_shell
from phicli.batch.types import Row
from phicli.errors import UsageError
from phicli.units import counted

_MOST_FIELD: Final = 16 << 20
_OTHERS: Final = (";", "\t")
_WORDS: Final = {
    "unexpected end": "a quote is not closed: the file ends inside the text",
    "new-line character": "it has a carriage return (CR) without a line feed (LF)",
    "field larger": f"a column has more than {_MOST_FIELD >> 20} million characters, or the line is too long",
}
"""For what the module csv says."""


def delimiter_of(file: BinaryIO, *, tabs: bool) -> str:
    """What stands between the columns: a tab, else a comma, else what the first line has: a semicolon or tabs."""
    if tabs:
        return "\t"
    head = next((text for text in _text(file) if text.strip()), "")
    counts = {mark: _width(head, mark) for mark in (",", *_OTHERS)}
    return "," if counts[","] > 1 else max(counts, key=lambda mark: counts[mark])


def _width(head: str, mark: str) -> int:
    """How many columns a line has with this mark between; 0 where it cannot be read so."""
    csv.field_size_limit(_MOST_FIELD)
    try:
        return len(next(csv.reader([head], delimiter=mark), []))
    except csv.Error:
        return 0


def columns_of(file: BinaryIO, delimiter: str, name: str) -> tuple[str, ...]:
    """The names of the columns.

    Raises:
        UsageError: there are none, or one occurs twice.
    """
    reader = _reader(file, delimiter)
    try:
        columns = next((tuple(cell.strip() for cell in cells) for cells in reader if any(cells)), ())
    except csv.Error as error:
        ends = f"convert its line ends, e.g. tr '\\r' '\\n' < {in_shell(name)} > lines.csv"
        hint = ends if "new-line" in str(error) else ""
        problem = f"{name}: the line of the columns cannot be read: {_problem(error)}"
        raise UsageError(problem, hint or "correct the file") from None
    if not columns:
        raise UsageError(f"{name} has no line with the names of the columns", "add one, e.g. id,prompt")
    if len({*columns}) < len(columns):
        double = next(column for column, count in Counter(columns).items() if count > 1)
        raise UsageError(f"{name} has two columns with the name {double!r}", "rename one of them")
    if not _is_text(columns):
        raise UsageError(
            f"{name} is not UTF-8 text",
            f"convert it first, e.g. iconv -f WINDOWS-1252 -t UTF-8 {in_shell(name)} > utf8.csv",
        ) from None
    return columns


def table_rows(file: BinaryIO, delimiter: str, columns: tuple[str, ...]) -> Iterator[Row]:
    """A row for each record behind that of the columns; records without any text are left out."""
    reader = _reader(file, delimiter)
    number, headed, line = 0, False, 1
    while True:
        problem, cells = "", []
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem = f"it is not CSV: {_problem(error)}"
        begins, line = line, reader.line_num + 1
        if not problem and not any(cells):
            continue
        if not headed:
            headed = True
            continue
        yield _row(number, begins, columns, cells, problem)
        number += 1


def _problem(error: csv.Error) -> str:
    """What is wrong, for people."""
    return next((words for begin, words in _WORDS.items() if str(error).startswith(begin)), str(error))


class _Reader(Protocol):
    """What the module csv makes."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]:
        """Itself."""

    def __next__(self) -> list[str]:
        """The next record."""


def _reader(file: BinaryIO, delimiter: str) -> _Reader:
    csv.field_size_limit(_MOST_FIELD)
    return csv.reader(_text(file), delimiter=delimiter, strict=True)


def _text(file: BinaryIO) -> Iterator[str]:
    """The lines with their ends; bytes that are not UTF-8 become halves of characters.

    In place of a line that is too long there is one that the module csv refuses, wherever it comes.
    """
    first = True
    while line := file.readline(MOST_LINE_BYTES + 1):
        if len(line) > MOST_LINE_BYTES and not line.endswith(b"\n"):
            skip(file)
            line = b"x" * (_MOST_FIELD + 1) + b"\n"
        if first:
            line, first = line.removeprefix(BOM), False
        yield line.decode(errors="surrogateescape")


def _row(number: int, line: int, columns: tuple[str, ...], cells: list[str], problem: str) -> Row:
    if not problem and len(cells) != len(columns):
        problem = f"it has {counted(len(cells), 'column')}, but the first line has {len(columns)}"
    if not problem and not _is_text(cells):
        problem = "it is not UTF-8 text"
    if problem:
        cells = [cell.encode(errors="surrogateescape").decode(errors="replace") for cell in cells]
    return Row(number, line, dict(zip(columns, cells, strict=not problem)), problem)


def _is_text(cells: Iterable[str]) -> bool:
    """Whether everything in the ``cells`` was UTF-8."""
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return False
    return True
