"""What can go wrong in the process that trains, in one word each."""

from __future__ import annotations

import errno
from typing import Final

from phicli.errors import is_disk_full

_SAID: Final = ("allocate memory", "out of memory", "bad_alloc", "CUBLAS_STATUS_ALLOC_FAILED")
"""What torch says when there is no memory left, on the processor and on a GPU."""


class LossError(RuntimeError):
    """The loss is not a number: what was learned is of no use."""


class WeightsError(RuntimeError):
    """The weights of the model are incomplete or damaged."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there is no memory left."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or any(said in str(error) for said in _SAID)


def kind_of(error: Exception) -> str:
    """``memory``, ``disk``, ``file``, ``weights``, ``loss`` or ``training``."""
    if is_out_of_memory(error):
        return "memory"
    if isinstance(error, OSError):
        return "disk" if is_disk_full(error) else "file"
    if isinstance(error, WeightsError):
        return "weights"
    return "loss" if isinstance(error, LossError) else "training"
