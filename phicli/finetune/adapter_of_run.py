"""The adapter that is meant where somebody names the folder of a run."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from phicli.errors import IntegrityError, NotFoundError, UsageError
from phicli.finetune.checkpoints import is_adapter, latest
from phicli.finetune.run_folder import RunFolder
from phicli.paths import expand


def adapter_of_run(typed: Path, command: str) -> Path | None:
    """The adapter that the run in the folder ``typed`` ended with; None for a folder of something else.

    With validation data it is that of the best step, as ``phi finetune`` has saved it. A run that was changed by hand
    so that it cannot be read has a finished adapter, or is a folder of something else.

    Args:
        typed: the folder.
        command: what is typed before the folder of an adapter, for the hint.

    Raises:
        UsageError: the run is not finished, so that no adapter of it is the one that is meant.
        NotFoundError: it has learned nothing yet.
    """
    folder = RunFolder(expand(str(typed)))
    try:
        run = folder.read()
    except (IntegrityError, UsageError):
        return folder.adapter if is_adapter(folder.adapter) else None
    if run is None:
        return None
    if is_adapter(folder.adapter):
        return folder.adapter
    finish = f"finish it: {run['command']}" if _is_command(run.get("command")) else "finish it with the same command"
    newest = latest(folder.checkpoints)
    if is_adapter(folder.best):
        sofar = folder.best
    elif newest is not None:
        sofar = newest.folder / "adapter"
    else:
        raise NotFoundError(f"{typed} is a run of phi finetune that has learned nothing yet", finish)
    raise UsageError(
        f"{typed} is a run of phi finetune that is not finished",
        f"{finish}; or use what it has learned so far: {command} {shlex.quote(str(sofar))}",
    )


def _is_command(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("phi finetune ") and value.isprintable()
