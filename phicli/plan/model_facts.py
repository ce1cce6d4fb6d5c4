"""Parameters and context of any model on this machine: by the catalog, else by the header of its file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phicli.catalog.load import catalog
from phicli.errors import PhiError
from phicli.gguf_file.header import read_any_header
from phicli.gguf_file.names import parts_of
from phicli.gguf_file.types import GgufHeader
from phicli.hub.disk.inventory import Inventory

_NO_PARAMETERS: Final = ("rope_factors", "rope_freqs")


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of a model; None where neither the catalog nor the file says it."""

    parameters: int | None = None
    context_tokens: int | None = None


def facts_of(variant_id: str | None, path: Path) -> ModelFacts:
    """The facts of the variant, or of the file at ``path`` where the catalog does not know it.

    A file that cannot be read has none: whoever uses it says why.
    """
    variant = catalog().variant(variant_id)
    if variant is not None:
        return ModelFacts(variant.parameters, variant.context_tokens)
    try:
        header = read_any_header(path)
        return ModelFacts(parameters_of(header), header.context_length)
    except (PhiError, OSError):
        return ModelFacts()


def facts_by_path(found: Inventory) -> dict[Path, ModelFacts]:
    """The facts of every model that is listed, by the path of its file."""
    cached = [(model.variant_id, model.path) for model in found.models if model.problem is None]
    local = [(one.model.variant_id, one.model.path) for one in found.in_place if one.is_there]
    return {path: facts_of(variant_id, path) for variant_id, path in (*cached, *local)}


def parameters_of(header: GgufHeader) -> int | None:
    """The number of weights in all tensors; of a split model in all its files, None where one is missing."""
    if header.split_count <= 1:
        return _elements(header)
    try:
        return sum(_elements(read_any_header(part)) for part in parts_of(header.path))
    except (PhiError, OSError):
        return None


def _elements(header: GgufHeader) -> int:
    return sum(tensor.elements for tensor in header.tensors if not tensor.name.startswith(_NO_PARAMETERS))
