"""From the name of a model to its file on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from phicli.catalog.load import catalog
from phicli.catalog.names import squash
from phicli.catalog.resolve import Selection, require_runnable, resolve
from phicli.catalog.types import Variant
from phicli.errors import NotFoundError, UsageError
from phicli.hub.cache import PREFERRED_QUANTS, best_installed, installed
from phicli.paths import expand

_LONGEST_PART = 255
_NAME_FIRST = "name the model first, then what to ask: phi chat tiny-phi 'your question'"


@dataclass(frozen=True, slots=True)
class LocatedModel:
    """A file on this machine.

    ``name`` is for people; ``reference`` means the same file from any folder. ``variant`` is None for a file that the
    catalogue does not know by its name.
    """

    name: str
    reference: str
    path: Path
    variant: Variant | None
    quant: str | None


def locate(name: str) -> LocatedModel:
    """The file that ``name`` means: an existing path or anything ending in ``.gguf``, else a name of the catalogue.

    Raises:
        NotFoundError: no such model, or its file is not on this machine; the hint says how to get it.
        UnsupportedModelError: no engine here can run the variant.
    """
    if not name.strip():
        raise UsageError("the name of the model is empty", "name one: phi chat tiny-phi")
    path = expand(name)
    if any(len(part.encode(errors="replace")) > _LONGEST_PART for part in path.parts):
        raise NotFoundError(f"there is no model or file with a name of {len(name)} characters", _NAME_FIRST)
    if name.lower().endswith(".gguf") or _is_path(name, path):
        return _from_path(path)
    if any(character.isspace() for character in name.strip()):
        raise NotFoundError(f"there is no model called {name!r}", _NAME_FIRST)
    selection = resolve(name)
    require_runnable(selection.variant)
    if selection.variant.packaged_file:
        packaged = files("phicli").joinpath("data", selection.variant.packaged_file)
        return LocatedModel(selection.variant.id, selection.variant.id, Path(str(packaged)), selection.variant, "F16")
    return _from_cache(selection)


def _is_path(name: str, path: Path) -> bool:
    """Whether ``name`` is meant as a path: a model of the catalogue is not hidden by a folder of the same name."""
    if "/" in name or "\\" in name or name.startswith((".", "~")):
        return path.exists() or name.startswith((".", "~", "/"))
    return path.is_file()


def _from_path(path: Path) -> LocatedModel:
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError("the path of the model is not UTF-8, which the engine needs", "rename the file") from None
    for variant in catalog().variants:
        for source in variant.sources:
            for file in source.files:
                if file.filename == path.name:
                    return LocatedModel(path.name, str(path.absolute()), path, variant, file.quant)
    return LocatedModel(path.name, str(path.absolute()), path, None, None)


def _from_cache(selection: Selection) -> LocatedModel:
    variant = selection.variant
    best = best_installed(installed(variant, selection.quant))
    if best is None:
        name = f"{variant.id}:{selection.quant.lower()}" if selection.quant else variant.id
        raise NotFoundError(f"{name} is not on this machine", _how_to_get(selection))
    reference = f"{variant.id}:{best.quant.lower()}" if best.quant else variant.id
    return LocatedModel(variant.id, reference, best.path, variant, best.quant)


def _how_to_get(selection: Selection) -> str:
    """The command that fetches the file people usually want, or the one that was asked for."""
    known = [(source, file) for source in selection.variant.sources for file in source.files]
    wanted = squash(selection.quant or PREFERRED_QUANTS[0])
    chosen = next((pair for pair in known if squash(pair[1].quant) == wanted), None)
    if chosen is None:
        return "give the path of a GGUF file instead: phi chat FILE.gguf"
    source, file = chosen
    size = f"  ({file.size_bytes / 1e9:.2f} GB)" if file.size_bytes else ""
    return f"fetch it into the shared cache: hf download {source.repo} {file.filename}{size}"


def known_by_name(general_name: str | None) -> Variant | None:
    """The variant that a file's own ``general.name`` means ("Phi 4 Mini Instruct"), None when it is not clear."""
    if not general_name:
        return None
    book = {squash(name): variant for variant in catalog().variants for name in (variant.id, *variant.aliases)}
    wanted = squash(general_name)
    return book.get(wanted) or book.get(wanted.removesuffix("instruct"))
