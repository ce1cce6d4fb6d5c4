"""Runs in files that ``phi bench`` or ``phi runs export`` write, and in what the history keeps."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from phicli.bench.runs.run_fields import flaws
from phicli.errors import IntegrityError, NotFoundError, UsageError, disk_full, is_disk_full, reason_of
from phicli.paths import read_small, write_output
from phicli.records.history import Entry
from phicli.records.run import Run

_LARGEST_BYTES: Final = 256 << 20
_DEEPEST: Final = 8

_MAKE: Final = "create one: phi bench --json > FILE, or phi runs export RUN --output FILE"


def read_runs(path: Path) -> tuple[Run, ...]:
    """The speed runs in ``path``: one JSON object or list, or one object per line; entries of other kinds are left out.

    Raises:
        NotFoundError: there is no such file.
        UsageError: it is not a file, cannot be read, is not JSON, or no speed run is in it.
        IntegrityError: a field of a run in it is missing or is not what it has to be.
    """
    try:
        content = read_small(path, _LARGEST_BYTES)
    except FileNotFoundError:
        raise NotFoundError(f"the file {path} does not exist", _MAKE) from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{path} cannot be read: {why}", _MAKE) from error
    found = tuple(_run(data, str(path)) for value in _values(content, path) for data in _runs_in(value))
    if not found:
        raise UsageError(f"{path} contains no run of phi bench", _MAKE)
    return found


def write_export(path: Path, text: str, *, force: bool = False) -> None:
    """Write ``text`` as UTF-8 so that ``path`` has all of it, or is as it was; folders are not made.

    Raises:
        UsageError: it exists and ``force`` is not given, it cannot be a file, or it cannot be written.
        DoesNotFitError: the disk is full.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder", f"name a file: {shlex.quote(str(path / 'runs.jsonl'))}")
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is a device or a pipe, not a file", "leave out --output to write to standard output")
    if os.path.lexists(path) and not force:
        raise UsageError(f"{path} already exists", "choose another file, or replace it with --force")
    if not path.absolute().parent.is_dir():
        raise UsageError(
            f"the folder {path.absolute().parent} does not exist", "create it first, or choose another folder"
        )
    try:
        write_output(path, text.encode(errors="replace"))  # names of files can be no text
    except OSError as error:
        if is_disk_full(error):
            raise disk_full(path, "free some space, or choose another folder") from error
        raise UsageError(f"{path} cannot be written: {reason_of(error)}", "choose another file") from error


def run_of(entry: Entry) -> Run:
    """The speed run that ``entry`` keeps.

    Raises:
        UsageError: it is of another kind.
        IntegrityError: a field of it is missing or is not what it has to be.
    """
    if entry.kind != "run":
        raise UsageError(f"{entry.run_id} is not a speed run: its kind is {entry.kind}", "see phi runs list --kind run")
    return _run(entry.data, f"the saved run {entry.run_id}")


def _values(content: bytes, path: Path) -> Iterator[Any]:
    """The JSON values in ``content``, which is one of them or has one per line; in any of JSON's encodings."""
    try:
        text = content.decode(json.detect_encoding(content))
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not a text file", _MAKE) from None
    try:
        yield json.loads(text)
        return
    except (ValueError, RecursionError):
        pass
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield json.loads(line)
            except (ValueError, RecursionError):
                raise UsageError(f"line {number} of {path} is not JSON", _MAKE) from None


def _runs_in(value: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """What is a run in ``value``: it, its ``data``, its ``runs``."""
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for one in value:
            yield from _runs_in(one, depth + 1)
    elif isinstance(value, dict):
        if "samples" in value and "settings" in value:
            yield value
        elif value.get("kind", "run") == "run":
            for name in ("data", "runs"):
                yield from _runs_in(value.get(name), depth + 1)


def _run(data: Any, where: str) -> Run:
    """The run that ``data`` is.

    Raises:
        IntegrityError: a field is missing or is not what it has to be; the message names the first of them.
    """
    hint = "use another run, or measure again: phi bench"
    found = list(flaws(data))
    if found:
        run_id = data.get("run_id")
        which = f"run {run_id}: " if isinstance(run_id, str) and run_id else ""
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise IntegrityError(f"{where}: {which}{found[0]}{more}", hint)
    try:
        return Run.from_data(data)
    except (ValueError, OverflowError) as error:
        raise IntegrityError(f"{where} cannot be read as a run of phi bench: {error}", hint) from error
