"""Results saved to disk as they come, so that a job continues where it was interrupted.

The first line says what the results depend on. Then every sitting has a line with its settings, and every result one.
A line is written whole, with its end, before its result counts. After a crash the last one may be torn: lines that
cannot be understood are left out, and their items are asked again. A process that is killed loses no result; when the
whole machine stops, those of the last second may be lost.

Items are numbered from 0. Memory holds 8 bytes for each, and results are read again from the file.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Final

from phicli.errors import UsageError, reason_of

if TYPE_CHECKING:
    from filelock import FileLock

_VERSION: Final = 2
_SYNC_S: Final = 1.0
_NONE: Final = -1


class OtherJobError(UsageError):
    """The file has the results of another job; ``differs`` are the names of what is not the same."""

    def __init__(self, path: Path, differs: tuple[str, ...]) -> None:
        super().__init__(f"{path} has the results of another job, with another {' and '.join(differs)}")
        self.differs = differs


@dataclass(frozen=True, slots=True)
class Saved:
    """A result as it is saved.

    ``sitting`` counts the times the job was started, from 1; ``elapsed_s`` is from the first question of that sitting
    to the end of this result.
    """

    number: int
    sitting: int
    elapsed_s: float
    failed: bool
    result: Mapping[str, Any]


class Journal:
    """The results of one job; a context, in which nobody else may go on with it.

    Where the disk cannot be written, results are in memory only from then on, and ``problem`` says why; it is empty
    while all is well. ``sitting`` is the number of this one, ``settings`` are those of the last one that began.

    Args:
        path: of the file.
        about: what the results depend on, by name, as JSON has it.
        restart: begin again, whatever is there.
        retry_failed: results that failed do not count.
        busy: what is said where another process works on the same job.

    Raises:
        OtherJobError: (on entering) the file has other results.
        UsageError: (on entering) another process is working on the same job.
    """

    def __init__(
        self, path: Path, about: Mapping[str, Any], *, restart: bool = False, retry_failed: bool = False,
        busy: str = "another phi process is working on the same job", clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.path = path
        self.sitting = 1
        self.damaged_lines = 0
        self.problem = ""
        self.settings: Mapping[str, Any] | None = None
        self._about = json.loads(json.dumps(dict(about)))
        self._restart, self._retry_failed, self._busy, self._clock = restart, retry_failed, busy, clock
        self._places = array("q")
        self._count = 0
        self._failed: set[int] = set()
        self._unsaved: dict[int, Saved] = {}
        self._lock: FileLock | None = None
        self._file: IO[bytes] | None = None
        self._end = 0
        self._synced = 0.0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, number: int) -> bool:
        return number in self._unsaved or (number < len(self._places) and self._places[number] != _NONE)

    @property
    def failed(self) -> frozenset[int]:
        """The numbers of the results that failed."""
        return frozenset(self._failed)

    def __enter__(self) -> Journal:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._take()
            self._open()
        except OSError as error:
            self._fail(error)
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def begin(self, settings: Mapping[str, Any]) -> None:
        """A sitting begins, with these settings."""
        self.settings = dict(settings)
        self._write({"sitting": self.sitting, "settings": self.settings})

    def add(self, number: int, result: Mapping[str, Any], elapsed_s: float, *, failed: bool = False) -> None:
        """Save the result of item ``number``; ``elapsed_s`` as in :class:`Saved`."""
        saved = Saved(number, self.sitting, elapsed_s, failed, result)
        new = number not in self
        place = self._write(
            {"n": number, "sitting": saved.sitting, "elapsed_s": elapsed_s, "failed": failed, "result": dict(result)}
        )
        if place is None:
            self._unsaved[number] = saved
        else:
            self._set(number, place)
        self._count += new
        (self._failed.add if failed else self._failed.discard)(number)

    def get(self, number: int) -> Saved:
        """The result of item ``number``.

        Raises:
            KeyError: there is none.
            OSError: the file cannot be read.
        """
        if number in self._unsaved:
            return self._unsaved[number]
        if number not in self:
            raise KeyError(number)
        with self.path.open("rb") as file:
            file.seek(self._places[number])
            saved = _saved(_object(file.readline()))
        if saved is None or saved.number != number:
            raise OSError(f"{self.path} was changed by another program")
        return saved

    def all(self) -> Iterator[Saved]:
        """Every result, in the order of the numbers."""
        for number in range(max([len(self._places), *(one + 1 for one in self._unsaved)])):
            if number in self:
                yield self.get(number)

    def _take(self) -> None:
        from filelock import FileLock, Timeout

        self._lock = FileLock(self.path.with_name(f"{self.path.name}.lock"), timeout=0)
        try:
            self._lock.acquire()
        except Timeout:
            self._lock = None
            raise UsageError(self._busy, "wait for it to end, or stop it, and run the command again") from None

    def _open(self) -> None:
        """Read what is there and open the file for more; a file that is no journal is replaced by an empty one."""
        known = not self._restart and self._read()
        self._file = self.path.open("r+b" if known else "wb")
        if known:
            self._file.seek(self._end)
            self._file.truncate()
        else:
            self._end = 0
            self._write({"journal": _VERSION, "about": self._about})

    def _read(self) -> bool:
        """Find the results that are there; whether there is a journal of this job."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return False
        with file:
            head = file.readline()
            about = _object(head)
            if about.get("journal") != _VERSION or not isinstance(about.get("about"), dict):
                return False
            if differs := _differences(about["about"], self._about):
                raise OtherJobError(self.path, differs)
            self._end = len(head)
            for line in file:
                if not line.endswith(b"\n"):
                    self.damaged_lines += 1
                    break
                self._note(line, self._end)
                self._end += len(line)
        return True

    def _note(self, line: bytes, place: int) -> None:
        data = _object(line)
        sitting, saved = data.get("sitting"), _saved(data)
        if saved is None and not (isinstance(sitting, int) and isinstance(data.get("settings"), dict)):
            self.damaged_lines += 1
            return
        if saved is None:
            self.settings = data["settings"]
        elif not (saved.failed and self._retry_failed):
            self._count += saved.number not in self
            self._set(saved.number, place)
            (self._failed.add if saved.failed else self._failed.discard)(saved.number)
        self.sitting = max(self.sitting, int(data["sitting"]) + 1)

    def _set(self, number: int, place: int) -> None:
        missing = number + 1 - len(self._places)
        if missing > 0:
            self._places.extend([_NONE] * missing)
        self._places[number] = place

    def _write(self, data: Mapping[str, Any]) -> int | None:
        """Where the line begins; None where it cannot be written."""
        if self._file is None:
            return None
        line = json.dumps(data, ensure_ascii=False).encode("utf-8", errors="replace") + b"\n"
        place = self._end
        try:
            self._file.write(line)
            self._file.flush()
            self._end += len(line)
            if self._clock() - self._synced >= _SYNC_S:
                os.fsync(self._file.fileno())
                self._synced = self._clock()
        except OSError as error:
            self._fail(error)
            return None
        return place

    def _fail(self, error: OSError) -> None:
        self.problem = f"{reason_of(error)}: {self.path}"
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.flush()
                os.fsync(self._file.fileno())
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def _leave(self) -> None:
        self._close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def _differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[str, ...]:
    names = dict.fromkeys([*first, *second])
    return tuple(name for name in names if name not in first or name not in second or first[name] != second[name])


def _saved(data: Mapping[str, Any]) -> Saved | None:
    try:
        number, sitting, elapsed_s = data["n"], data["sitting"], float(data["elapsed_s"])
        failed, result = data["failed"], data["result"]
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    numbers = isinstance(number, int) and 0 <= number < 1 << 31 and isinstance(sitting, int)
    if not numbers or not isinstance(failed, bool) or not isinstance(result, dict):
        return None
    return Saved(number, sitting, elapsed_s, failed, result)


def _object(line: bytes) -> Mapping[str, Any]:
    """The JSON object in a line; an empty one where there is none."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
