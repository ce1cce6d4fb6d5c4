"""Whether the output can be written where it is asked for."""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path
from typing import Final

from phicli.batch.options import BatchOptions
from phicli.batch.source import Source
from phicli.errors import UsageError, reason_of
from phicli.paths import output_target

_JOURNAL: Final = b'{"journal"'
_SITTING: Final = b'{"sitting"'
_SPREADSHEETS: Final = (".xlsx", ".xls", ".ods", ".numbers", ".parquet")
_EXAMPLE: Final = "name a file, e.g. --out answers.jsonl"


def require_place(wanted: BatchOptions, source: Source) -> None:
    """Return if the output can be written, and no other file is lost by that.

    Raises:
        UsageError: it cannot be written, or another file is there.
    """
    out = wanted.out
    if str(out) == "-":
        raise UsageError("--out - is not possible: the answers and their journal are files", _EXAMPLE)
    if out.suffix.lower() in _SPREADSHEETS:
        table = shlex.quote(str(out.with_suffix(".csv")))
        raise UsageError(
            f"{out} cannot be written: phi writes JSON lines and CSV", f"spreadsheets open CSV: --out {table}"
        )
    _require_writable(out)
    for path, what in ((out, "the output"), (wanted.journal, "its journal"), (wanted.lock, "its lock")):
        if source.is_file(path):
            raise UsageError(f"{what} would replace the input: {path}", _EXAMPLE)
    if wanted.restart or wanted.journal.exists() or not out.exists() or not out.stat().st_size:
        return
    raise UsageError(
        f"{out} already exists, and has no journal ({wanted.journal.name})",
        "name another file, or replace it: --restart",
    )


def has_results(wanted: BatchOptions) -> bool:
    """Whether the journal may have results, or the output may have lines.

    Without them nothing can be lost, whichever job began the files.
    """
    try:
        if wanted.out.exists() and wanted.out.stat().st_size:
            return True
        with wanted.journal.open("rb") as file:
            return not file.readline().startswith(_JOURNAL) or any(not line.startswith(_SITTING) for line in file)
    except OSError:
        return True


def remove_nothing(wanted: BatchOptions, head: bytes) -> None:
    """Remove the output and its journal if neither has a result, so that the next command may be another job."""
    with contextlib.suppress(OSError):
        if wanted.out.exists() and wanted.out.read_bytes() in (b"", head):
            wanted.out.unlink()
    if not has_results(wanted):
        with contextlib.suppress(OSError):
            wanted.journal.unlink()


def _require_writable(out: Path) -> None:
    try:
        if not out.parent.is_dir():  # NEW/../OUT is no place before NEW is there
            raise FileNotFoundError
        target = output_target(out)
        if target.exists():
            with target.open("r+b"):
                pass
    except IsADirectoryError:
        raise UsageError(f"{out} is a folder", f"name a file in it: --out {out / 'answers.jsonl'}") from None
    except FileNotFoundError:
        raise UsageError(
            f"{out} cannot be written: the folder does not exist", f"create it: mkdir -p {shlex.quote(str(out.parent))}"
        ) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{out} cannot be written: {reason_of(error)}", _EXAMPLE) from None
