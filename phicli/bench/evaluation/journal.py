"""Replies saved to disk as they come, so that an evaluation continues where it was interrupted.

One file an evaluation, named after its key: a hash of everything that the replies depend on. Its first line says what
it is; then every sitting has a line with its settings, and every reply one. A line is written whole, with its end, and
flushed to the disk before the next question counts as answered; after a crash the last one may be torn. Lines that
cannot be understood are left out, and their questions are asked again. So are questions that failed: what failed with
this memory and this engine may not fail the next time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Final

from phicli.bench.evaluation.types import Answered, Reply
from phicli.errors import UsageError, reason_of
from phicli.paths import state_dir

if TYPE_CHECKING:
    from filelock import FileLock

_VERSION: Final = 1
_STALE_S: Final = 90 * 24 * 3600
_LARGEST_BYTES: Final = 1 << 30


def journal_key(about: Mapping[str, Any]) -> str:
    """The key of an evaluation: SHA-256 of everything that its replies depend on."""
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def journal_dir() -> Path:
    """Where journals are kept. Not created here."""
    return state_dir() / "evals"


class Journal:
    """The replies to the questions of one evaluation; a context, in which nobody else may go on with it.

    Where the disk cannot be written, replies are kept in memory only, and ``problem`` says why, which is empty while
    all is well. ``sitting`` is the number of this one, ``settings`` are those of the last one that began.

    Args:
        key: of :func:`journal_key`.
        folder: where the file is; :func:`journal_dir` when None.
        restart: begin again, whatever is there.

    Raises:
        UsageError: (on entering) another process is working on the same evaluation.
    """

    def __init__(self, key: str, *, folder: Path | None = None, restart: bool = False) -> None:
        self.key = key
        self.sitting = 1
        self.damaged_lines = 0
        self.problem = ""
        self.settings: Mapping[str, Any] | None = None
        self._folder = journal_dir() if folder is None else folder
        self._path = self._folder / f"{key[:32]}.jsonl"
        self._restart = restart
        self._answers: dict[str, Answered] = {}
        self._lock: FileLock | None = None
        self._file: IO[bytes] | None = None
        self._unwritten = b""

    @property
    def answers(self) -> Mapping[str, Answered]:
        """Replies by the ids of their questions."""
        return self._answers

    def __enter__(self) -> Journal:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._take()
            self._open()
        except OSError as error:
            self._failed(error)
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
        self._write(_line({"sitting": self.sitting, "settings": self.settings}))

    def add(self, item_id: str, reply: Reply, elapsed_s: float) -> None:
        """Keep a reply of this sitting; ``elapsed_s`` as in :class:`~phicli.bench.evaluation.types.Answered`.

        One that failed is there until the end of the sitting.
        """
        line = _line({"id": item_id, "sitting": self.sitting, "elapsed_s": elapsed_s, "reply": reply.to_data()})
        self._answers[item_id] = Answered(item_id, reply, self.sitting, elapsed_s)
        if not reply.failed:
            self._write(line)

    def _take(self) -> None:
        from filelock import FileLock, Timeout

        self._lock = FileLock(self._path.with_suffix(".lock"), timeout=0)
        try:
            self._lock.acquire()
        except Timeout:
            self._lock = None
            message = "another phi process is asking this model the same questions"
            raise UsageError(message, "wait for it to end, or stop it, and run the command again") from None

    def _open(self) -> None:
        """Read what is there and open the file for more; a file of another kind or key is replaced by an empty one."""
        self._remove_stale()
        content = b"" if self._restart else self._content()
        lines = content.split(b"\n")
        known = _object(lines[0]) == {"journal": _VERSION, "key": self.key}
        if known:
            for line in filter(None, lines[1:]):
                self._read(_object(line))
        self._file = self._path.open("ab" if known else "wb")
        if not known:
            self._write(_line({"journal": _VERSION, "key": self.key}))
        elif not content.endswith(b"\n"):
            self._file.write(b"\n")  # behind a torn line, so that the next one is whole

    def _content(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                return file.read(_LARGEST_BYTES)
        except FileNotFoundError:
            return b""

    def _read(self, line: Mapping[str, Any]) -> None:
        try:
            sitting = int(line["sitting"])
            if "settings" in line:
                self.settings = dict(line["settings"])
            else:
                reply, item_id, elapsed_s = Reply.from_data(line["reply"]), line["id"], float(line["elapsed_s"])
                if not isinstance(item_id, str):
                    raise ValueError("an id is a string")
                if not reply.failed:
                    self._answers[item_id] = Answered(item_id, reply, sitting, elapsed_s)
            self.sitting = max(self.sitting, sitting + 1)
        except (KeyError, TypeError, ValueError, OverflowError):
            self.damaged_lines += 1

    def _write(self, line: bytes) -> None:
        self._unwritten = line  # until it is: Ctrl-C may come in between
        if self._file is None:
            return
        try:
            self._file.write(line)
            self._unwritten = b""
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:  # a full disk: the evaluation goes on
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        self.problem = f"{reason_of(error)}: {self._path}"
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def _leave(self) -> None:
        if self._unwritten:
            self._write(self._unwritten)
        self._close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _remove_stale(self) -> None:
        """Remove the journals that nobody has added to for three months."""
        for path in self._folder.glob("*.jsonl"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _STALE_S:
                    path.unlink()
                    path.with_suffix(".lock").unlink(missing_ok=True)


def _line(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False).encode("utf-8", errors="replace") + b"\n"


def _object(line: bytes) -> Mapping[str, Any]:
    """The JSON object in a line; an empty one where there is none."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
