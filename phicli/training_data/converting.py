"""Converts training data: any format in, messages or what a target takes out, example by example."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from phicli.errors import CheckFailedError, UsageError
from phicli.training_data.convert_result import Converted
from phicli.training_data.decoding import BOM
from phicli.training_data.findings import Finding, Findings
from phicli.training_data.formats_in import READERS, Example, NotThisFormatError, recognized, with_system
from phicli.training_data.formats_out import WRITERS, CannotHoldError
from phicli.training_data.lines import OnBytes, ignore_bytes
from phicli.training_data.services import ANY
from phicli.training_data.source import Source
from phicli.training_data.structure import Structure
from phicli.training_data.tables import COLUMNS, NO_COLUMNS, Columns, rows_of
from phicli.training_data.values import Reader, Unreadable, values_of
from phicli.units import counted, csv_line

FORMATS: Final = (*READERS, "openai", "azure", "trl", "csv")
"""What can be read: the last ones but ``csv`` are other names."""
_ALIASES: Final = {"openai": "messages", "azure": "messages", "trl": "prompt-completion"}
_TABLES: Final = (".csv", ".tsv")

_LONGEST_TITLES: Final = 200

_MOST_BAD: Final = 1_000
"""After so many values that are not JSON, and none that is, the file is something else."""

Numbered = Iterator[tuple[int, Any]]


@dataclass(frozen=True, slots=True)
class ConvertOptions:
    """What is read and written; ``source_format`` is None where it is to be recognized."""

    source_format: str | None = None
    target: str = "messages"
    columns: Columns = NO_COLUMNS
    system: str | None = None
    encoding: str = "utf-8"
    keep: int | None = 20

    def __post_init__(self) -> None:
        if self.source_format is not None and self.source_format not in FORMATS:
            raise UsageError(f"unknown format: {self.source_format}", f"the formats are {', '.join(FORMATS)}")
        if self.target not in WRITERS:
            raise UsageError(f"unknown target: {self.target}", f"the targets are {', '.join(WRITERS)}")


class Converting:
    """One conversion.

    Args:
        options: what is read and written.
        write: takes the bytes of the new file in order.
    """

    def __init__(self, options: ConvertOptions, write: Callable[[bytes], object]) -> None:
        self._options, self._write = options, write
        self._findings = Findings(options.keep)
        self._structure = Structure(ANY)
        self._written = self._left_out = 0
        self._name, self._format = "", options.source_format or ""

    def convert(self, source: Source, on_bytes: OnBytes = ignore_bytes) -> None:
        """Convert a file.

        Raises:
            CheckFailedError: it cannot be read to its end, or its format is unknown.
        """
        self._name = source.name
        options = self._options
        table = options.source_format == "csv" or (
            options.source_format is None and (source.name.lower().endswith(_TABLES) or options.columns != NO_COLUMNS)
        )
        source.require_text(options.encoding)
        if table:
            self._format = "csv"
            rows = rows_of(source.file, source.name, options.columns, options.encoding, self._unused)
            self._take(rows, dict)
            return
        reader = Reader(source.file, source.name, options.encoding, on_bytes)
        values, kind = self._recognized(values_of(reader))
        self._format = options.source_format or kind
        self._take(values, READERS[_ALIASES.get(self._format, self._format)])

    def take(self, examples: Iterable[Mapping[str, Any]], name: str) -> None:
        """Convert examples that come from somewhere else than a file; ``name`` says from where."""
        self._name, self._format = name, "session"
        self._take(enumerate(examples, 1), dict)

    def result(self, output: str | None) -> Converted:
        """What came of it, when all is written to the file ``output``."""
        if not self._written and not self._left_out:
            raise CheckFailedError(f"{self._name} has no examples", "name another file")
        return Converted(self._format, self._options.target, output, self._written, self._left_out, self._findings)

    def _recognized(self, values: Numbered) -> tuple[Numbered, str]:
        """The examples, and their format by the first of them; a list of messages is one example."""
        bad: list[tuple[int, Any]] = []
        first = next(values, None)
        while first is not None and not isinstance(first[1], Mapping | list) and len(bad) < _MOST_BAD:
            bad.append(first)
            first = next(values, None)
        if first is None or not isinstance(first[1], Mapping | list):
            raise self._nothing_in(bad)
        values = chain(bad, [first], values)
        line, value = first
        if isinstance(value, Mapping) and "role" in value and "messages" not in value:
            return iter([(line, {"messages": [self._message(one, at) for at, one in values]})]), "messages"
        if isinstance(value, list):
            return ((n, {"messages": one} if isinstance(one, list) else one) for n, one in values), "messages"
        kind = self._options.source_format or recognized(value)
        if not kind:
            keys = ", ".join(value)[:200] if isinstance(value, Mapping) else "none"
            raise CheckFailedError(
                f"{self._name}:{line}: the format is not known; the keys are: {keys}",
                f"name it with --from: {', '.join(FORMATS)}",
            )
        return values, kind

    def _nothing_in(self, bad: list[tuple[int, Any]]) -> CheckFailedError:
        """The error for a file without an object or a list; ``bad`` is what was read of it."""
        for line, value in bad:
            if isinstance(value, Unreadable):
                return value.as_error(self._name, line)
        if bad:
            return CheckFailedError(f"{self._name}:{bad[0][0]}: it is not an object", "name another file")
        return CheckFailedError(f"{self._name} has no examples", "name another file")

    def _message(self, value: Any, line: int) -> Any:
        """A message of the only conversation of a file.

        Raises:
            CheckFailedError: it cannot be read.
        """
        if isinstance(value, Unreadable):
            raise value.as_error(self._name, line)
        return value

    def _take(self, examples: Iterable[tuple[int, Any]], read: Callable[[Mapping[str, Any]], Example]) -> None:
        for line, given in examples:
            if isinstance(given, Unreadable):
                self._leave_out(line, given.message, given.kind, given.column)
                continue
            try:
                if not isinstance(given, Mapping):
                    raise NotThisFormatError("it is not an object")
                example = with_system(read(given), self._options.system)
                if wrong := self._wrong(example):
                    raise NotThisFormatError(wrong)
                self._write_example(example, line)
            except NotThisFormatError as error:
                self._leave_out(line, str(error))
            except CannotHoldError as error:
                self._leave_out(line, f"{self._options.target} cannot hold it: {error}")

    def _wrong(self, example: Example) -> str:
        """The first error of an example's shape; empty where it has none. Unknown keys are not an error here."""
        found: list[str] = []

        def add(kind: str, place: str, message: str) -> None:
            if kind not in ("unknown_key", "service"):
                found.append(f"{place}: {message}".lstrip(": "))

        self._structure.check(example, add)
        return found[0] if found else ""

    def _write_example(self, example: Example, line: int) -> None:
        target = self._options.target
        made = list(WRITERS[target](example, lambda place, what: self._lost(line, place, what)))
        try:
            lines = [_line(one, target).encode() for one in made]
        except UnicodeEncodeError:
            raise NotThisFormatError("a text has half of a character (a surrogate), which UTF-8 cannot hold") from None
        if not self._written:
            self._begin()
        self._write(b"".join(lines))
        self._written += len(made)

    def _begin(self) -> None:
        if self._options.target == "azure":
            self._write(BOM)
        elif self._options.target == "csv":
            self._write(csv_line(COLUMNS).encode())

    def _unused(self, titles: Sequence[str]) -> None:
        names = ", ".join(titles)[:_LONGEST_TITLES]
        message = f"{counted(len(titles), 'column')} not converted: {names}"
        self._findings.add(Finding("warning", "lost", self._name, 1, message))

    def _lost(self, line: int, place: str, what: str) -> None:
        message = f"{self._options.target} cannot hold {what}"
        self._findings.add(Finding("warning", "lost", self._name, line, message, place))

    def _leave_out(self, line: int, why: str, kind: str = "left_out", column: int = 0) -> None:
        self._left_out += 1
        self._findings.add(Finding("error", kind, self._name, line, f"left out: {why}", column=column))


def _line(made: Mapping[str, Any], target: str) -> str:
    if target == "csv":
        return csv_line([made[column] for column in COLUMNS])
    return json.dumps(made, ensure_ascii=False) + "\n"
