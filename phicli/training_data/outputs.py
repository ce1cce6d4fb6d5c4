"""Files that are written completely or not at all, several of them together."""

from __future__ import annotations

import contextlib
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from phicli.errors import UsageError, disk_full, is_disk_full, reason_of
from phicli.paths import output_target

_BUFFER_BYTES = 1 << 18


class Outputs:
    """Files that get their names when all of them are complete; what was there before stays until then.

    Args:
        paths: of the files.
        force: whether existing files are replaced.

    Raises:
        UsageError: one exists, or cannot be written.
    """

    def __init__(self, paths: Sequence[Path], *, force: bool) -> None:
        self._paths, self._targets = paths, [_target(path, force=force) for path in paths]
        self._force = force
        if len(set(self._targets)) < len(self._targets):
            raise UsageError(f"{paths[0]} cannot be both files", "name two different files")
        self._new: list[Path] = []
        self.files: list[BinaryIO] = []

    def write(self, number: int, data: bytes) -> None:
        """Write to the file of that number.

        Raises:
            DoesNotFitError: the disk is full.
        """
        try:
            self.files[number].write(data)
        except OSError as error:
            raise self._refused(error, number) from None

    def __enter__(self) -> Self:
        try:
            for target in self._targets:
                self._new.append(target.with_name(f".{target.name}.{secrets.token_hex(4)}"))
                self.files.append(self._new[-1].open("xb", buffering=_BUFFER_BYTES))
        except BaseException as error:
            self._discard()
            if isinstance(error, OSError):
                raise self._refused(error, len(self.files)) from None
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._discard()
            return
        try:
            self._finish()
        finally:
            self._discard()

    def _finish(self) -> None:
        at = 0
        try:
            for at in range(len(self.files)):
                self.files[at].close()
            for at, target in enumerate(self._targets):
                if target.exists():
                    _require_free(self._paths[at], target, force=self._force)  # it may have come meanwhile
                    self._new[at].chmod(stat.S_IMODE(target.stat().st_mode))
                self._new[at].replace(target)
        except OSError as error:
            raise self._refused(error, at) from None

    def _discard(self) -> None:
        for file in self.files:
            with contextlib.suppress(OSError):
                file.close()
        for new in self._new:
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)

    def _refused(self, error: OSError, number: int) -> Exception:
        path = self._paths[number]
        if is_disk_full(error):
            return disk_full(path)
        return UsageError(f"{path} cannot be written: {reason_of(error)}", "name another file")


def _target(path: Path, *, force: bool) -> Path:
    try:
        target = output_target(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {reason_of(error)}", "name another file") from None
    _require_free(path, target, force=force)
    return target


def _require_free(path: Path, target: Path, *, force: bool) -> None:
    if target.exists() and not force:
        raise UsageError(f"{path} already exists", "replace it with --force, or name another file")
