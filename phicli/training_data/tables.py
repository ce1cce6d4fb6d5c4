"""Tables of questions and answers: CSV with any usual separator, read row by row, and written."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain
from typing import Any, BinaryIO, Final

from phicli.errors import UsageError
from phicli.training_data.formats_in import PAIRS
from phicli.training_data.lines import LONGEST_LINE_BYTES
from phicli.training_data.values import Unreadable

COLUMNS: Final = ("system", "user", "assistant")
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
        UsageError: it is not a table with these columns.
    """
    csv.field_size_limit(LONGEST_LINE_BYTES)
    codec = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
    text = io.TextIOWrapper(file, encoding=codec, newline="")
    try:
        head = text.readline()
        rows = csv.reader(chain([head], text), delimiter=_separator(head), strict=True)
        titles = [title.strip() for title in next(rows, [])]
        user, assistant = _columns(titles, columns, name)
        system = _place(titles, "system")
        if unused := [title for place, title in enumerate(titles) if title and place not in (system, user, assistant)]:
            on_unused(unused)
        for line, row in _numbered(rows):
            if isinstance(row, Unreadable):
                yield line, row
            elif any(cell.strip() for cell in row):
                yield line, _example(row, titles, (system, user, assistant))
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{name} is not {encoding.upper()}: byte 0x{error.object[error.start]:02x}",
            "name its encoding, e.g. --input-encoding latin-1",
        ) from None
    except csv.Error as error:
        raise UsageError(f"{name} is not a table: {error}", "separate the cells with commas, and quote texts") from None
    finally:
        text.detach()


def _numbered(rows: Any) -> Iterator[tuple[int, list[str] | Unreadable]]:
    """The rows, or what is wrong with one, each with the number of the line in which it ends.

    A row that cannot be read has that of the line in which it begins: the quote that is not closed is there.
    """
    while True:
        begin = rows.line_num + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            ended = "unexpected end" in str(error)
            why = "a quote is not closed: the file ends inside the text" if ended else f"not a row: {error}"
            yield begin, Unreadable("left_out", why)
            continue
        yield rows.line_num, row


def _separator(head: str) -> str:
    return max(_SEPARATORS, key=head.count)


def _columns(titles: Sequence[str], wanted: Columns, name: str) -> tuple[int, int]:
    if (wanted.user is None) != (wanted.assistant is None):
        raise UsageError("--user and --assistant must be given together", _BOTH)
    pairs = [(wanted.user, wanted.assistant)] if wanted.user or wanted.assistant else list(_MORE_PAIRS)
    for user, assistant in pairs:
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
