"""The weights of a folder, seen before hours are spent on them: all files there, complete, and those of its config."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from phicli.adapters.safetensors import SavedTensor, read_safetensors
from phicli.errors import NotAModelError

INDEX: Final = "model.safetensors.index.json"
"""Names the files of weights that are in several."""
_EMBEDDING: Final = "embed_tokens.weight"
_AGAIN: Final = "download the folder again: hf download continues where it stopped"


def check_weights(folder: Path, index: Any, embedding: tuple[int, int]) -> None:
    """Return if the files of weights in ``folder`` are complete and are those of config.json.

    Args:
        folder: of the model; it has a file of weights.
        index: the content of :data:`INDEX`; None where there is none.
        embedding: the tokens and the size of their vectors, as config.json says.

    Raises:
        NotAModelError: a file is missing, or has other sizes.
        IntegrityError: a file is damaged or truncated.
    """
    missing = sorted(name for name in _named(index) if not (folder / name).is_file())
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise NotAModelError(f"{folder} lacks a file of its weights: {missing[0]}{more}", _AGAIN)
    for tensor in _tensors(folder):
        if tensor.name.endswith(_EMBEDDING) and tensor.shape != embedding:
            there, here = (" x ".join(map(str, one)) for one in (tensor.shape, embedding))
            raise NotAModelError(
                f"the weights in {folder} do not belong to its config.json: {tensor.name} is {there}, not {here}",
                _AGAIN,
            )


def _tensors(folder: Path) -> Iterator[SavedTensor]:
    for path in sorted(folder.glob("*.safetensors")):
        yield from read_safetensors(path).tensors.values()


def _named(index: Any) -> set[str]:
    files = index.get("weight_map") if isinstance(index, dict) else None
    return {str(name) for name in files.values()} if isinstance(files, dict) else set()
