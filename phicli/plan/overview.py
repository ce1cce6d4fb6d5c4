"""The rows of ``phi list``: the catalog beside what is on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from phicli.catalog.load import catalog
from phicli.catalog.names import squash
from phicli.catalog.quants import preference
from phicli.catalog.types import Catalog, Variant
from phicli.errors import UsageError
from phicli.plan.installed import InstalledModel, installed_models
from phicli.plan.model_facts import ModelFacts, facts_of


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file that can be downloaded; ``size_bytes`` is None when only the hub knows it, rough unless exact."""

    quant: str
    repo: str
    filename: str
    size_bytes: int | None
    size_is_exact: bool
    revision: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model: a variant of the catalog, or something on this machine that the catalog does not know.

    Of the latter only ``id`` (what to type), ``installed`` and what the header of the file says (``facts``) are known.
    ``best`` is the file that ``phi pull`` takes when nothing else is said.
    """

    id: str
    variant: Variant | None
    best: PublishedFile | None
    installed: tuple[InstalledModel, ...]
    facts: ModelFacts

    @property
    def runs_here(self) -> bool:
        """Whether llama.cpp can run it, as far as can be told without opening the file."""
        return self.variant is None or self.variant.runs_here


@dataclass(frozen=True, slots=True)
class Overview:
    """``rows`` in the catalog's order, strangers last; ``hidden`` counts what was left out as it cannot run here.

    ``family`` is the only one that was wanted, as the catalog writes it.
    """

    rows: tuple[ModelRow, ...]
    hidden: int
    family: str | None = None


def overview(
    *,
    everything: bool = False,
    only_installed: bool = False,
    family: str | None = None,
    book: Catalog | None = None,
    here: Sequence[InstalledModel] | None = None,
) -> Overview:
    """The models to list: those that run here, unless ``everything`` is wanted.

    Args:
        everything: also the variants that llama.cpp cannot run.
        only_installed: only what is on this machine (the model inside the package is not counted).
        family: only this family (``phi-3.5``); case and separators do not matter.
        book: the catalog; by default the one that ships.
        here: what is on this machine; by default that is looked up.

    Raises:
        UsageError: there is no such family.
    """
    book = book or catalog()
    wanted = None if family is None else family_named(family, book)
    there = installed_models(book) if here is None else here
    rows = [row for row in _rows(book, there) if wanted in (None, _family_of(row))]
    if only_installed:
        return Overview(tuple(row for row in rows if row.installed), 0, wanted)
    shown = tuple(row for row in rows if everything or row.runs_here or row.installed)
    return Overview(shown, len(rows) - len(shown), wanted)


def published_files(variant: Variant) -> tuple[PublishedFile, ...]:
    """The files that the catalog lists for ``variant``, source by source."""
    return tuple(
        PublishedFile(
            quant=file.quant,
            repo=source.repo,
            filename=file.filename,
            size_bytes=file.size_bytes or file.size_approx_bytes,
            size_is_exact=file.size_bytes is not None,
            revision=source.revision,
            sha256=file.sha256,
        )
        for source in variant.sources
        for file in source.files
    )


def best_file(variant: Variant, among: Sequence[PublishedFile] | None = None) -> PublishedFile | None:
    """The file that ``phi pull`` takes: of the first source, its usual quantization.

    None when the catalog lists no file of the first source: the hub knows then. Where its size is not known, the size
    of the same quantization from another source stands in for it, as a rough one.

    Args:
        variant: the model.
        among: the published files to choose from (those of one quantization); by default all.
    """
    files = published_files(variant) if among is None else among
    first = [file for file in files if file.repo == variant.sources[0].repo] if variant.sources else []
    best = min(first, key=lambda file: preference(file.quant), default=None)
    if best is None or best.size_bytes is not None:
        return best
    sizes = [file.size_bytes for file in files if file.quant == best.quant and file.size_bytes]
    return replace(best, size_bytes=sizes[0]) if sizes else best


def installed_of(variant: Variant, here: Sequence[InstalledModel]) -> tuple[InstalledModel, ...]:
    """What is installed of ``variant``, the repositories in the catalog's order."""
    order = [source.repo for source in variant.sources]
    mine = [model for model in here if model.variant_id == variant.id]
    return tuple(sorted(mine, key=lambda model: order.index(model.repo) if model.repo in order else len(order)))


def best_of(models: Sequence[InstalledModel]) -> InstalledModel:
    """The one of ``models`` (at least one) that is run when no quantization is asked for."""
    return min(models, key=lambda model: preference(model.quant))


def _rows(book: Catalog, here: Sequence[InstalledModel]) -> Iterator[ModelRow]:
    for variant in book.variants:
        yield ModelRow(variant.id, variant, best_file(variant), installed_of(variant, here), _facts(variant))
    known = {variant.id for variant in book.variants}
    for stranger in here:
        if stranger.variant_id not in known:
            yield ModelRow(stranger.name, None, None, (stranger,), facts_of(None, stranger.path))


def _facts(variant: Variant) -> ModelFacts:
    return ModelFacts(variant.parameters, variant.context_tokens)


def _family_of(row: ModelRow) -> str | None:
    return row.variant.family if row.variant else None


def family_named(typed: str, book: Catalog | None = None) -> str:
    """The family as the catalog writes it; case and separators do not matter.

    Raises:
        UsageError: there is no such family.
    """
    families = list(dict.fromkeys(variant.family for variant in (book or catalog()).variants))
    for family in families:
        if squash(family) == squash(typed):
            return family
    raise UsageError(
        f"unknown family: {typed!r}",
        f"the families are {', '.join(families)}; for example: phi list --family {families[-1]}",
    )
