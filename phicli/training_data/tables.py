"""Tables of questions and answers: CSV with any usual separator, read row by row, and written."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain, count
from typing import Any, BinaryIO, Final

from phicli.errors import CheckFailedError, UsageError
from phicli.training_data.decoding import NAME_IT, not_in
from phicli.training_data.formats_in import PAIRS
from phicli.training_data.lines import LONGEST_LINE_BYTES
from phicli.training_data.values import Unreadable
from phicli.units import counted, format_bytes

COLUMNS: Final = ("system", "user", "assistant")
_NEWLINE: Final = b"\n"
_SEPARATORS: Final = ",;\t|"
_BOTH: Final = "name them: --user COLUMN --assistant COLUMN"
_MORE_PAIRS: Final = (*PAIRS, ("instruction", "output"), ("q", "a"))


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns of the question and of the answer; None where they are to be recognized."""

    user: str | None = None
    assistant: str | None = None


NO_COLUMNS: Final = Columns()


def rows_of(
    file: BinaryIO,
    name: str,
    columns: Columns,
    encoding: str = "utf-8",
    on_unused: Callable[[Sequence[str]], object] = list,
) -> Iterator[tuple[int, Mapping[str, Any] | Unreadable]]:
    """The examples of a table, each with the number of the line in which its row ends; or what is wrong with a row.

    ``on_unused`` is given the titles of the columns that are not part of an example, if there are any.

    Raises:
        CheckFailedError: it is not a table, has another encoding, or a line that is too long.
        UsageError: it does not have these columns.
    """
    csv.field_size_limit(LONGEST_LINE_BYTES)
    codec = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
    text = io.TextIOWrapper(file, encoding=codec, newline="")
    try:
        lines = _lines(text, name, encoding)
        skipped, head = next(((n, line) for n, line in enumerate(lines) if line.strip()), (0, ""))
        if not head:
            raise CheckFailedError(f"{name} has no examples", "name another file")
        rows = csv.reader(chain([head], lines), delimiter=_separator(head), strict=True)
        titles = [title.strip() for title in next(rows, [])]
        user, assistant = _columns(titles, columns, name)
        system = _place(titles, "system")
        if unused := [title for place, title in enumerate(titles) if title and place not in (system, user, assistant)]:
            on_unused(unused)
        for line, row in _numbered(rows, skipped):
            if isinstance(row, Unreadable):
                yield line, row
            elif any(cell.strip() for cell in row):
                yield line, _example(row, titles, (system, user, assistant))
    except csv.Error as error:
        why = f"{name}:1: the first line does not name the columns of a table: {error}"
        raise CheckFailedError(why, "separate the cells with commas, and quote texts") from None
    finally:
        text.detach()


def _lines(text: io.TextIOWrapper, name: str, encoding: str) -> Iterator[str]:
    """The lines of a table, in bounded memory.

    Raises:
        CheckFailedError: one is not text in that encoding, or too long.
    """
    for number in count(1):
        try:
            line = text.readline(LONGEST_LINE_BYTES + 1)
        except UnicodeError as error:  # in what was read ahead, which begins in this line
            read = getattr(error, "object", b"")[: getattr(error, "start", 0)]
            raise CheckFailedError(
                f"{name}:{number + read.count(_NEWLINE)}: {not_in(encoding, error)}", NAME_IT
            ) from None
        if len(line) > LONGEST_LINE_BYTES:
            most = format_bytes(LONGEST_LINE_BYTES)
            raise CheckFailedError(f"{name}:{number}: at most {most} are read of a line", "shorten it, or leave it out")
        if not line:
            return
        yield line


def _numbered(rows: Any, skipped: int) -> Iterator[tuple[int, list[str] | Unreadable]]:
    """The rows, or what is wrong with one, each with the number of the line in which it ends.

    So many lines were ``skipped`` in front of them. A row that cannot be read has that of the line in which it begins:
    the quote that is not closed is there.
    """
    while True:
        begin = skipped + rows.line_num + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield begin, Unreadable("left_out", _why(str(error), skipped + rows.line_num - begin))
            continue
        yield skipped + rows.line_num, row


def _why(said: str, more: int) -> str:
    """What is wrong with a row, for which Python's reader has ``said`` something after so many ``more`` lines."""
    inside = f": {counted(more, 'line')} below would be inside its text" if more > 0 else ""
    if "unexpected end" in said:
        return f"a quote is not closed: the file ends inside the text{inside}"
    if "field limit" in said:
        return f"a text is longer than {format_bytes(LONGEST_LINE_BYTES)}, or its quote is not closed{inside}"
    return f"not a row: {said}"


def _separator(head: str) -> str:
    return max(_SEPARATORS, key=head.count)


def _columns(titles: Sequence[str], wanted: Columns, name: str) -> tuple[int, int]:
    if (wanted.user is None) != (wanted.assistant is None):
        raise UsageError("--user and --assistant must be given together", _BOTH)
    pairs = [(wanted.user, wanted.assistant)] if wanted.user or wanted.assistant else list(_MORE_PAIRS)
    for user, assistant in pairs:
        for title in (user, assistant):
            if (many := titles.count(title or "")) > 1 and title in titles:
                raise CheckFailedError(f"{name}:1: {many} columns are called {title!r}", "give each its own name")
        places = (_place(titles, user or ""), _place(titles, assistant or ""))
        if places[0] is not None and places[1] is not None:
            return places[0], places[1]
    known = ", ".join(titles)[:200] or "none"
    for typed in (wanted.user, wanted.assistant):
        if typed is not None and _place(titles, typed) is None:
            close = get_close_matches(typed, titles, n=1)
            hint = f"did you mean {close[0]}?" if close else _BOTH
            raise UsageError(f"{name} has no column {typed!r}; its columns are: {known}", hint)
    raise UsageError(f"{name} has no columns for question and answer; its columns are: {known}", _BOTH)


def _place(titles: Sequence[str], wanted: str) -> int | None:
    lower = [title.lower() for title in titles]
    return (
        titles.index(wanted) if wanted in titles else lower.index(wanted.lower()) if wanted.lower() in lower else None
    )


def _example(
    row: Sequence[str], titles: Sequence[str], places: tuple[int | None, int, int]
) -> dict[str, Any] | Unreadable:
    if len(row) != len(titles):
        return Unreadable(
            "left_out",
            f"the row has {len(row)} cells, but there are {len(titles)} columns: quote texts that have a separator or "
            "a line break in them",
        )
    system = row[places[0]] if places[0] is not None else ""
    said = [("system", system)] if system.strip() else []
    said += [("user", row[places[1]]), ("assistant", row[places[2]])]
    return {"messages": [{"role": role, "content": text} for role, text in said]}
