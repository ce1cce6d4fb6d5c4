"""The files with the weights of a model, looked at before torch is loaded: their headers only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from phicli.adapters.safetensors import read_safetensors
from phicli.errors import IntegrityError, NotAModelError
from phicli.paths import read_small

_WHOLE: Final = "model.safetensors"
_INDEX: Final = "model.safetensors.index.json"
_INDEX_BYTES: Final = 1 << 24
_AGAIN: Final = "download the folder again"


def weight_files(folder: Path) -> tuple[Path, ...]:
    """The files that transformers reads: one, or those of an index.

    Raises:
        NotAModelError: there are none, or one of the index is not there.
        IntegrityError: the index is damaged.
    """
    if (folder / _WHOLE).exists():
        return (folder / _WHOLE,)
    if not (folder / _INDEX).exists():
        raise NotAModelError(
            f"{folder} has no weights: there is neither {_WHOLE} nor {_INDEX} in it",
            "name a folder with config.json, tokenizer.json and *.safetensors",
        )
    try:
        names = sorted(set(json.loads(read_small(folder / _INDEX, _INDEX_BYTES))["weight_map"].values()))
        paths = tuple(folder / name for name in names)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise IntegrityError(f"{folder / _INDEX} cannot be read: it is damaged", _AGAIN) from None
    gone = [path.name for path in paths if not path.exists()]
    if gone or not paths:
        raise NotAModelError(f"{folder} lacks a part of the weights: {gone[0] if gone else '*.safetensors'}", _AGAIN)
    return paths


def check_weights(folder: Path) -> None:
    """Return if all files with weights are complete; which tensors they have is seen when they are loaded.

    Raises:
        IntegrityError: one is missing, damaged or truncated.
    """
    for path in weight_files(folder):
        read_safetensors(path)
