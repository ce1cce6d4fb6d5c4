"""Every file that could run here, with its size: what a recommendation chooses from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal

from phicli.catalog.quants import PACKAGED_QUANT, same_quant
from phicli.catalog.types import Catalog, GgufFile, Variant
from phicli.errors import PhiError
from phicli.fit.repacking import AVX2_TYPES, Repacked
from phicli.fit.shape import ModelShape, loaded_by, shape_of
from phicli.fit.types import Candidate
from phicli.gguf_file.header import read_header
from phicli.gguf_file.recipe import RECIPES, RecipeSum, recipe_sum
from phicli.hardware.types import Gpu
from phicli.plan.installed import InstalledModel

_USUAL: Final = ("Q4_K_M", "Q8_0")
"""What is expected of a repository whose files the catalog does not list: everybody publishes these."""

_Source = Literal["published", "recipe"]


def candidates(
    book: Catalog, installed: Sequence[InstalledModel], *, repacked: Repacked = AVX2_TYPES, gpus: Sequence[Gpu] = ()
) -> tuple[Candidate, ...]:
    """Every variant that runs here in every quantization that is published or installed, in the catalog's order.

    The size comes from the file's header where it is on this machine, else from the published size, else from the
    quantization's recipe. A quantization of which neither is known (UD) is left out.

    Args:
        book: the catalog.
        installed: what is on this machine (``phicli.plan.installed.installed_models``).
        repacked: types of tensors that the engine copies on the machine (``phicli.fit.repacking``).
        gpus: those of the machine.
    """
    found: list[Candidate] = []
    for variant in book.variants:
        if variant.runs_here:
            own = [model for model in installed if model.variant_id == variant.id]
            found += _packaged(variant, repacked) + _of_variant(variant, own, repacked)
    return tuple(replace(one, shape=loaded_by(one.shape, gpus)) for one in found)


def _packaged(variant: Variant, repacked: Repacked) -> list[Candidate]:
    if not variant.packaged_file:
        return []
    path = Path(str(files("phicli").joinpath("data", variant.packaged_file)))
    shape = _from_header(variant, path, path.stat().st_size, PACKAGED_QUANT, repacked)
    return [Candidate(variant, PACKAGED_QUANT, shape, "header", installed=True)] if shape else []


def _of_variant(variant: Variant, own: Sequence[InstalledModel], repacked: Repacked) -> list[Candidate]:
    found = []
    for quant in _quants(variant, own):
        for model in own:
            if same_quant(model.quant, quant):
                shape = _from_header(variant, model.path, model.size_bytes, quant, repacked)
                if shape is not None:
                    found.append(Candidate(variant, quant, shape, "header", installed=True))
                    break
        else:
            expected = expected_shape(variant, quant, repacked=repacked)
            if expected is not None:
                found.append(Candidate(variant, quant, *expected))
    return found


def _quants(variant: Variant, own: Sequence[InstalledModel]) -> tuple[str, ...]:
    published = variant.quants or (_USUAL if variant.sources else ())
    return tuple(dict.fromkeys([*published, *(model.quant for model in own if model.quant)]))


def expected_shape(
    variant: Variant, quant: str, *, repacked: Repacked = AVX2_TYPES
) -> tuple[ModelShape, _Source] | None:
    """The shape of a file that is not here, and where its size is from; None when nothing is known of it."""
    recipe = _recipe(variant, quant)
    listed = [file for source in variant.sources for file in source.files if file.quant == quant]
    size_bytes = _published(listed)
    if size_bytes:
        return _shape(variant, _scaled(recipe, size_bytes), repacked), "published"
    return None if recipe is None else (_shape(variant, recipe, repacked), "recipe")


def _published(files_: Sequence[GgufFile]) -> int | None:
    """The first exact size, else the first rounded one: sources are in order of preference."""
    exact = [file.size_bytes for file in files_ if file.size_bytes]
    rounded = [file.size_approx_bytes for file in files_ if file.size_approx_bytes]
    return next(iter(exact + rounded), None)


def _recipe(variant: Variant, quant: str) -> RecipeSum | None:
    known = variant.dimensions
    if quant not in RECIPES or variant.architecture is None or known is None or not known.feed_forward:
        return None
    return recipe_sum(variant.architecture, known, quant)


def _scaled(recipe: RecipeSum | None, size_bytes: int) -> RecipeSum:
    """The recipe's shares of a file of ``size_bytes``."""
    if recipe is None:
        return RecipeSum(size_bytes)
    return recipe.scaled(size_bytes / recipe.weights_bytes)


def _shape(variant: Variant, weights: RecipeSum, repacked: Repacked) -> ModelShape:
    known = variant.dimensions
    return ModelShape(
        weights_bytes=weights.weights_bytes,
        repackable_bytes=weights.bytes_in(repacked),
        layers=known.layers if known else 0,
        embedding=known.hidden if known else 0,
        feed_forward=(known.feed_forward or 0) if known else 0,
        heads=known.heads if known else 0,
        kv_heads_total=known.kv_heads * known.layers if known else 0,
        key_length=known.head_size if known else 0,
        value_length=known.head_size if known else 0,
        vocabulary=known.vocabulary if known else 0,
        trained_context_tokens=variant.context_tokens,
        architecture=variant.architecture or "",
        embedding_bytes=weights.embedding_bytes,
        output_bytes=weights.output_bytes,
        expert_bytes=weights.expert_bytes,
        experts=known.experts if known else 0,
        experts_used=known.experts_used if known else 0,
    )


def _from_header(variant: Variant, path: Path, size_bytes: int, quant: str, repacked: Repacked) -> ModelShape | None:
    """The shape in the file's own header; None when it cannot be read. The first part of a split file is incomplete."""
    try:
        header = read_header(path)
    except PhiError:
        return None
    shape = shape_of(header, repacked=repacked)
    if header.split_count > 1:
        weights = _scaled(_recipe(variant, quant), size_bytes)
        shape = replace(_shape(variant, weights, repacked), architecture=header.architecture)
    return shape
