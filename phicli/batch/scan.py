"""The first look at all of the input: its hash, its lines, and what is wrong before anything starts."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from phicli.batch.formats import Layout
from phicli.batch.source import Source, in_shell
from phicli.batch.types import Row
from phicli.errors import UsageError

_MOST_KEYS: Final = 1000


@dataclass(frozen=True, slots=True)
class Scan:
    """What is known of the whole input.

    Attributes:
        sha256: of all its bytes, in hexadecimal digits.
        rows: how many there are, those that are wrong included.
        wrong: how many of them cannot be asked.
        keys: of all rows, or the columns, in the order in which they first occur; not more than 1000.
        most_bytes: of the longest request in UTF-8.
    """

    sha256: str
    rows: int
    wrong: int
    keys: tuple[str, ...]
    most_bytes: int


def scan(
    source: Source, layout: Layout, size_of: Callable[[Row], int], on_row: Callable[[int], None] = lambda _: None
) -> Scan:
    """Read all of ``source``.

    Args:
        source: the input.
        layout: how it is read.
        size_of: the bytes of what a row asks; raises a UsageError where it cannot be asked.
        on_row: called after every 1000 rows with how many were read.

    Raises:
        UsageError: there are no rows, none can be asked, or two have the same id.
    """
    digest, places, keys = hashlib.sha256(), array("Q"), dict.fromkeys(layout.columns)
    rows = wrong = most_bytes = 0
    first_problem = ""
    with source.reader(digest.update) as file:
        for row in layout.rows(file):
            rows += 1
            try:
                require_right(row)
                most_bytes = max(most_bytes, size_of(row))
            except UsageError as error:
                wrong += 1
                first_problem = first_problem or f"line {row.line}: {error.message}"
            places.append(_mark(row.name(layout.id_key)))
            if len(keys) < _MOST_KEYS:
                keys |= dict.fromkeys(row.fields)
            if not rows % 1000:
                on_row(rows)
        file.read()  # what an early end left, for the hash
    source.require_same()
    if not rows:
        raise UsageError(f"{source.name} has no lines to ask", "each line is a prompt, or a JSON object with a prompt")
    _require_different(source, layout, places)
    if wrong == rows:
        raise _none_can_be_asked(source.name, layout, first_problem)
    return Scan(digest.hexdigest(), rows, wrong, tuple(keys), most_bytes)


def _none_can_be_asked(name: str, layout: Layout, problem: str) -> UsageError:
    """The error for a file whose first ``problem`` is this, and what to do about it."""
    return UsageError(f"{name}: no line can be asked; {problem}", _hint(name, layout, problem))


def _hint(name: str, layout: Layout, problem: str) -> str:
    if problem.endswith("it is not UTF-8 text"):
        return f"save it as UTF-8, or convert it, e.g. iconv -f WINDOWS-1252 -t UTF-8 {in_shell(name)} > utf8.csv"
    if layout.format == "lines" and "it has no value for" in problem:
        return "if it is a table, say so: --input-format csv"
    return "see: phi batch --help"


def require_right(row: Row) -> None:
    """Return if nothing is wrong with the line of ``row``.

    Raises:
        UsageError: something is.
    """
    if row.problem:
        raise UsageError(row.problem)


def _mark(name: Any) -> int:
    """A number of 64 bits that stands for an id: ids are compared as text."""
    return int.from_bytes(hashlib.blake2b(str(name).encode(errors="replace"), digest_size=8).digest())


def _require_different(source: Source, layout: Layout, marks: array[int]) -> None:
    """Return if all ids are different; lines that cannot be read have none.

    Raises:
        UsageError: two are the same.
    """
    twice = {first for first, second in pairwise(sorted(marks)) if first == second}
    if not twice:
        return
    lines: dict[str, int] = {}
    with source.reader() as file:
        for row in layout.rows(file):
            if row.problem or marks[row.number] not in twice:  # without an id it can be another line's
                continue
            name = str(row.name(layout.id_key))
            if name in lines:
                raise UsageError(
                    f"{source.name}: lines {lines[name]} and {row.line} have the same {layout.id_key}: {name!r}",
                    f"give each line another {layout.id_key}, or leave out all of them",
                )
            lines[name] = row.line
