"""What a training ends with: its adapter as GGUF, under a name. What can prevent it is asked before the training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from phicli.errors import DoesNotFitError, PhiError, UserInterruptError
from phicli.units import format_bytes

if TYPE_CHECKING:
    from phicli.adapters.adding import Added
    from phicli.adapters.converting import OnBytes
    from phicli.finetune.run_folder import RunFolder

_WEIGHT_BYTES: Final = 4


def check_free_name(name: str | None, folder: RunFolder) -> None:
    """Return if the adapter may get its name: a training may take hours before it does.

    Raises:
        UsageError: it cannot be a name, or belongs to another adapter.
    """
    from phicli.adapters.adding import check_free

    if name is not None:
        check_free(name, folder.adapter)


def check_room(parameters: int) -> None:
    """Return if the disk with the adapters has room for one of so many ``parameters``.

    Raises:
        DoesNotFitError: it has not.
    """
    from phicli.adapters.registry import adapters_dir
    from phicli.hub.store import free_bytes

    needed, free = _WEIGHT_BYTES * parameters, free_bytes(adapters_dir())
    if needed > free:
        raise DoesNotFitError(
            f"the adapter needs {format_bytes(needed)} as GGUF, but only {format_bytes(free)} are free on the disk of "
            f"{adapters_dir()}",
            "free some space, or set PHI_HOME to a folder on another disk",
        )


def converted(folder: RunFolder, name: str | None, command: str, on_bytes: OnBytes) -> Added:
    """The adapter of a finished run, under its name. What goes wrong now costs no training.

    Args:
        folder: of the run.
        name: None for one made of the name of the folder.
        command: what was typed, which continues here.
        on_bytes: is told how far the conversion is.

    Raises:
        PhiError: it cannot be converted, or not get its name; says that the training is finished, and what continues.
        UserInterruptError: Ctrl-C.
    """
    from phicli.adapters.adding import add

    again = f"nothing is trained again: {command}"
    paths = {"folder": str(folder.path), "peft": str(folder.adapter)}
    try:
        return add(folder.adapter, name=name, label=folder.path.name, on_bytes=on_bytes)
    except PhiError as error:
        error.message = f"the training is finished, but its adapter is not ready: {error.message}"
        error.hint = f"{error.hint}; {again}"
        error.data = paths
        raise
    except KeyboardInterrupt:
        message = "interrupted: the training is finished, but its adapter is not converted to GGUF"
        raise UserInterruptError(message, again, data=paths) from None
