"""Everything about one model, for ``phi show``: a variant of the catalogue, or a file by its header."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from phicli.catalog.load import catalog
from phicli.catalog.resolve import resolve
from phicli.catalog.types import Variant
from phicli.errors import NotFoundError
from phicli.paths import expand
from phicli.plan.file_description import FileDescription, describe_file
from phicli.plan.installed import InstalledModel, installed_models
from phicli.plan.locate import locate
from phicli.plan.overview import PublishedFile, best_file, installed_of, published_files


@dataclass(frozen=True, slots=True)
class VariantDescription:
    """A variant of the catalogue; ``quant`` (in capitals) is the one that was asked for.

    ``published`` and ``installed`` hold only that one then. ``packaged_path`` is the file inside the package.
    ``sources`` maps the key of every source that the catalogue names for the variant to what that source is.
    """

    variant: Variant
    quant: str | None
    published: tuple[PublishedFile, ...]
    installed: tuple[InstalledModel, ...]
    packaged_path: Path | None
    sources: Mapping[str, str]

    @property
    def best(self) -> PublishedFile | None:
        """The file that ``phi pull`` takes for what was asked for, as far as the catalogue tells."""
        return best_file(self.variant, self.published)


def describe(name: str) -> VariantDescription | FileDescription:
    """What ``name`` means: a path, a name of the catalogue, a name registered here, or a repository in the cache.

    Raises:
        NotFoundError: no such model or file; the hint has close names.
        UsageError: the path is a directory or a device, or the name is empty.
        IntegrityError: the file is no GGUF file, or a damaged one.
    """
    if _is_path(name):
        return describe_file(locate(name))
    try:
        selection = resolve(name)
    except NotFoundError:
        return describe_file(locate(name))
    variant, quant = selection.variant, selection.quant
    return VariantDescription(
        variant=variant,
        quant=quant,
        published=tuple(file for file in published_files(variant) if quant in (None, file.quant)),
        installed=tuple(model for model in installed_of(variant, installed_models()) if quant in (None, model.quant)),
        packaged_path=_packaged(variant),
        sources=_sources(variant),
    )


def _is_path(name: str) -> bool:
    """Whether ``name`` is certainly a path, by the rules of :func:`locate`."""
    if name.lower().endswith(".gguf") or name.startswith((".", "~", "/")):
        return True
    try:
        return expand(name).is_file()
    except OSError:  # a name too long for the file system
        return False


def _packaged(variant: Variant) -> Path | None:
    if variant.packaged_file is None:
        return None
    return Path(str(files("phicli").joinpath("data", variant.packaged_file)))


def _sources(variant: Variant) -> Mapping[str, str]:
    """Key of a source → what it is, for every source that this variant's facts, files and scores name."""
    references = catalog().references
    keys = [
        *variant.provenance.values(),
        *(source.source for source in variant.sources),
        *(score.source for score in variant.scores),
    ]
    return {key: references.get(key, key) for key in dict.fromkeys(keys) if key}
