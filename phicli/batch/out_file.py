"""The output: lines in the order of the input, written as soon as all lines before them are known.

It is at every moment the beginning of what the journal has, so it can be continued, or made again, from there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO

from phicli.batch.output import Output
from phicli.batch.types import Row
from phicli.errors import UsageError
from phicli.jobs.journal import Journal
from phicli.paths import output_target


class OutChangedError(UsageError):
    """The output is not what was written."""

    def __init__(self, path: Path, line: int, journal: Path) -> None:
        super().__init__(
            f"{path} was changed: its line {line} is not what {journal.name} has",
            f"move it away, then the same command writes it again from {journal.name} and asks nothing twice; "
            "or ask everything again: --restart",
        )


class OutFile:
    """The output of a batch; a context that closes it.

    Args:
        path: of the file.
        output: makes its bytes.
        journal: has the results.
        rows: begins to read the input.
        again: numbers whose results will be replaced: they and what follows are not written before.
    """

    def __init__(
        self, path: Path, output: Output, journal: Journal, rows: Callable[[], Iterator[Row]], again: set[int]
    ) -> None:
        self._path, self._output, self._journal = path, output, journal
        self._begin_rows, self._again = rows, again
        self._rows: Iterator[Row] | None = None
        self._file: IO[bytes] | None = None
        self._next = 0
        self._end = 0

    def verify(self) -> None:
        """Find how far the file has come.

        Raises:
            OutChangedError: somebody changed it.
        """
        self._next = self._end = 0
        with contextlib.suppress(FileNotFoundError), self._path.open("rb") as file:
            line = 1
            for number, chunk in self._expected():
                found = file.read(len(chunk))
                if found != chunk:
                    if chunk.startswith(found):  # torn
                        break
                    raise OutChangedError(self._path, line, self._journal.path)
                line += chunk.count(b"\n")
                if number in self._again:
                    return
                self._end += len(chunk)
                self._next = number + 1
            if file.read(1):
                raise OutChangedError(self._path, line, self._journal.path)

    def __enter__(self) -> OutFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            file.close()

    def advance(self) -> None:
        """Write every line that is known, up to the first that is not.

        The first time what follows the last line that is right is removed; until then the file is as it was.

        Raises:
            OSError: it cannot be written.
        """
        before = self._next
        if self._file is None:
            self._file = self._opened()
        while self._next in self._journal and self._next not in self._again:
            self._write(self._line(self._next, self._rows))
            self._next += 1
        if self._next > before:
            self._file.flush()

    def _opened(self) -> IO[bytes]:
        """The file, open behind the last line that is right."""
        target = output_target(self._path)  # a link may lead to a file that does not exist yet
        file = target.open("r+b" if target.exists() else "xb")
        file.truncate(self._end)
        file.seek(self._end)
        if not self._end:
            self._end = file.write(self._output.head())
        self._rows = self._rows_from(self._next)
        return file

    def _write(self, chunk: bytes) -> None:
        if self._file is None:
            raise ValueError("the output is not open")
        self._file.write(chunk)
        self._end += len(chunk)

    def _expected(self) -> Iterator[tuple[int, bytes]]:
        """What the file begins with: the head as number -1, and the lines."""
        if head := self._output.head():
            yield -1, head
        rows = self._rows_from(0)
        number = 0
        while number in self._journal:
            yield number, self._line(number, rows)
            number += 1

    def _line(self, number: int, rows: Iterator[Row] | None) -> bytes:
        row = None if rows is None else next(rows)
        return self._output.line(row, self._journal.get(number).result["out"])

    def _rows_from(self, number: int) -> Iterator[Row] | None:
        if not self._output.needs_rows:
            return None
        rows = self._begin_rows()
        for _ in range(number):
            next(rows)
        return rows
