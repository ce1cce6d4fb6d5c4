"""Results saved to disk as they come, so that a job continues where it was interrupted.

The first line says what the results depend on. Then there is a line for every sitting, with its settings, and one for
every result. A line is written whole, with its end, before its result counts. After a crash the last line may be torn:
lines that cannot be read are left out, and their items are asked again. A process that is killed loses no result. The
file is synced to the disk at most once per second, so when the whole machine stops, the last results may be lost.

Items are numbered from 0. Memory holds 8 bytes for each, and results are read again from the file.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from array import array
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final

from phicli.errors import UsageError, is_disk_full, reason_of
from phicli.jobs.journal_lines import MOST_ITEMS, Saved, differences, line_of, object_in, saved_in
from phicli.jobs.locking import LockFile, lock_of

_VERSION: Final = 2
_SYNC_S: Final = 1.0
_NONE: Final = -1
_BEGINNING: Final = b'{"journal": '


class OtherJobError(UsageError):
    """The file has the results of another job; ``differs`` are the names of what is not the same."""

    def __init__(self, path: Path, differs: tuple[str, ...]) -> None:
        super().__init__(
            f"{path} has the results of another job, with another {' and '.join(differs)}",
            "name another file, or add --restart to discard these results",
        )
        self.differs = differs


class UnknownJournalError(UsageError):
    """The file is not a journal of this version of phi."""


class Journal:
    """The results of one job; a context in which no other process can work on it.

    If the disk cannot be written, results are in memory only from then on, and ``problem`` says why; before that it is
    empty. ``is_full``: the disk has no space left. ``sitting`` is the number of this one, ``settings`` are
    those of the last one that began.

    Args:
        path: of the file.
        about: what the results depend on, by name, as JSON has it.
        items: how many items there are; results of others do not count. None where that is unknown.
        restart: begin again, whatever is there; that is replaced when the first line is written.
        retry_failed: results that failed do not count.
        replaces: a file that is not a journal is replaced by an empty one, not refused.
        accepts: whether a saved result is what the job saves; others do not count.
        busy: the message of the error if another process works on the same job.
        clock: seconds; tests give their own.

    Raises:
        OtherJobError: (on entering) the file has other results.
        UsageError: (on entering) another process is working on the same job, or the file is not a journal.
    """

    def __init__(
        self, path: Path, about: Mapping[str, Any], *, items: int | None = None, restart: bool = False,
        retry_failed: bool = False, replaces: bool = False, accepts: Callable[[Mapping[str, Any]], bool] | None = None,
        busy: str = "another phi process is working on the same job", clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.path = path
        self.sitting = 1
        self.damaged_lines = 0
        self.problem = ""
        self.is_full = False
        self.settings: Mapping[str, Any] | None = None
        self._about = json.loads(json.dumps(dict(about)))
        self._items = MOST_ITEMS if items is None else min(items, MOST_ITEMS)
        self._restart, self._retry_failed, self._replaces, self._busy = restart, retry_failed, replaces, busy
        self._accepts, self._clock = accepts or (lambda _: True), clock
        self._places = array("q")  # where the line of each result begins; that of one that failed is turned by _turned
        self._count = 0
        self._unsaved: dict[int, Saved] = {}
        self._lock = LockFile(lock_of(path))
        self._file: IO[bytes] | None = None
        self._reader: IO[bytes] | None = None
        self._end = 0
        self._discards = False
        self._synced = 0.0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, number: int) -> bool:
        return number in self._unsaved or self._place(number) != _NONE

    @property
    def failed(self) -> frozenset[int]:
        """The numbers of the results that failed."""
        saved = (number for number, place in enumerate(self._places) if place < _NONE and number not in self._unsaved)
        return frozenset((*saved, *(number for number, one in self._unsaved.items() if one.failed)))

    def __enter__(self) -> Journal:
        try:
            for step in (self._take, self._open):
                try:
                    step()
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
        saved = Saved(number, self.sitting, round(elapsed_s, 6), failed, result)
        new = number not in self
        place = self._write(
            {"n": number, "sitting": saved.sitting, "elapsed_s": saved.elapsed_s, "failed": failed, "result": result}
        )
        if place is None:
            self._unsaved[number] = saved
        else:
            self._set(number, place, failed=failed)
        self._count += new

    def get(self, number: int) -> Saved:
        """The result of item ``number``.

        Raises:
            KeyError: there is none.
            OSError: the file cannot be read.
        """
        if number in self._unsaved:
            return self._unsaved[number]
        place = self._place(number)
        if place == _NONE:
            raise KeyError(number)
        if self._reader is None:
            self._reader = self.path.open("rb")
        self._reader.seek(_turned(place) if place < _NONE else place)
        saved = saved_in(object_in(self._reader.readline()))
        if saved is None or saved.number != number:
            raise OSError(f"{self.path} was changed by another program")
        return saved

    def all(self) -> Iterator[Saved]:
        """Every result, in the order of the numbers."""
        for number in range(max([len(self._places), *(one + 1 for one in self._unsaved)])):
            if number in self:
                yield self.get(number)

    def _take(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self._lock.take():
            raise UsageError(self._busy, "wait for it to end, or stop it, and run the command again")

    def _open(self) -> None:
        """Read what is there, and open the file for more; without a lock nothing is written."""
        known = not self._restart and self._read()
        if self.problem:
            return
        self._discards = not known and self.path.exists()
        self._file = self.path.open("r+b" if known or self._discards else "wb")
        if known:
            self._file.seek(self._end)
            self._file.truncate()
        elif not self._discards:
            self._write_head(self._file)

    def _read(self) -> bool:
        """Find the results that are there; whether there is a journal of this job."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return False
        with file:
            head = file.readline()
            about = object_in(head)
            whole = about.get("journal") == _VERSION and isinstance(about.get("about"), dict) and head.endswith(b"\n")
            if not whole:
                self._refuse(head, about)
                return False
            if differs := differences(about["about"], self._about):
                raise OtherJobError(self.path, differs)
            self._end = len(head)
            for line in file:
                if not line.endswith(b"\n"):
                    self.damaged_lines += 1
                    break
                self._note(line, self._end)
                self._end += len(line)
        return True

    def _refuse(self, head: bytes, data: Mapping[str, Any]) -> None:
        """Return if a file that begins like this may be replaced: one that ends in its first line has no results."""
        torn = _BEGINNING.startswith(head) or (head.startswith(_BEGINNING) and not head.endswith(b"\n"))
        if self._replaces or torn:
            return
        what = "was written by another version of phi" if "journal" in data else "does not have the results of a job"
        raise UnknownJournalError(f"{self.path} {what}", "move it to another place, or add --restart to overwrite it")

    def _note(self, line: bytes, place: int) -> None:
        data = object_in(line)
        sitting, saved = data.get("sitting"), saved_in(data)
        if saved is None and not (isinstance(sitting, int) and isinstance(data.get("settings"), dict)):
            self.damaged_lines += 1
            return
        if saved is None:
            self.settings = data["settings"]
        elif saved.number >= self._items or not self._accepts(saved.result):
            self.damaged_lines += 1
            return
        elif not (saved.failed and self._retry_failed):
            self._count += saved.number not in self
            self._set(saved.number, place, failed=saved.failed)
        self.sitting = max(self.sitting, int(data["sitting"]) + 1)

    def _place(self, number: int) -> int:
        return self._places[number] if 0 <= number < len(self._places) else _NONE

    def _set(self, number: int, place: int, *, failed: bool) -> None:
        missing = number + 1 - len(self._places)
        if missing > 0:
            self._places.extend(array("q", [_NONE]) * missing)
        self._places[number] = _turned(place) if failed else place

    def _write(self, data: Mapping[str, Any]) -> int | None:
        """Where the line begins; None where it cannot be written. The first one discards what was to be replaced."""
        if self._file is None:
            return None
        line = line_of(data)
        try:
            if self._discards:
                self._discards = False
                self._file.truncate(0)
                self._write_head(self._file)
            place = self._end
            self._append(self._file, line)
        except OSError as error:
            self._fail(error)
            return None
        return place

    def _write_head(self, file: IO[bytes]) -> None:
        self._append(file, line_of({"journal": _VERSION, "about": self._about}))

    def _append(self, file: IO[bytes], line: bytes) -> None:
        file.write(line)
        file.flush()
        self._end += len(line)
        if self._clock() - self._synced >= _SYNC_S:
            os.fsync(file.fileno())
            self._synced = self._clock()

    def _fail(self, error: OSError) -> None:
        self.problem = f"{reason_of(error)}: {self.path}"
        self.is_full = is_disk_full(error)
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
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._lock.release()


def _turned(place: int) -> int:
    """A place as that of a result that failed, which is less than -1; and back."""
    return -2 - place
