"""From the name of a model to its file on this machine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phicli.catalog.display_name import with_quant
from phicli.catalog.load import catalog
from phicli.catalog.quants import PACKAGED_QUANT, meant
from phicli.catalog.resolve import Selection, is_repository, require_runnable, resolve, sources_of
from phicli.catalog.types import Variant
from phicli.errors import THIS_COMMAND, TYPED_COMMAND, NotFoundError, NotInstalledError, UsageError
from phicli.gguf_file.kind import FileKind
from phicli.gguf_file.names import parts_of
from phicli.gguf_file.start import kind_of_file
from phicli.hub.cache import best_installed, installed, installed_in, matching, the_one
from phicli.hub.in_place import registry
from phicli.hub.offline import how_to_get
from phicli.hub.typed_name import is_typed_address, typed_name
from phicli.paths import expand, is_there

_LONGEST_PART: Final = 255
_LONGEST_QUOTED: Final = 60
_NAME_OR_PATH: Final = re.compile(r"[./~\\].*|[A-Za-z]:[/\\].*|[A-Za-z0-9._/:@+~\\=-]*", re.DOTALL)
_FOR_EXAMPLE = f"for example: {TYPED_COMMAND} tiny-phi; see all names: phi list"
_NAME_FIRST = f"name a model first, {_FOR_EXAMPLE}; set a default: phi config set model phi-4-mini"


@dataclass(frozen=True, slots=True)
class LocatedModel:
    """A file on this machine.

    ``name`` is for people; ``reference`` means the same file from any folder. ``variant`` is None for a file that the
    catalog does not know by its name.
    """

    name: str
    reference: str
    path: Path
    variant: Variant | None
    quant: str | None


def locate(name: str) -> LocatedModel:
    """The file that ``name`` means.

    In this order: an existing path, an address of the hub, anything else ending in ``.gguf``, the name of a file that
    was registered in place (also with ``:QUANT``), a repository (``owner/repo``, with ``:QUANT`` or ``:FILE.gguf``) in
    the cache, a name of the catalog or of Ollama's library.

    Any part of a split model means all of it.

    Raises:
        NotInstalledError: it is not on this machine; the hint says how to get it.
        AmbiguousModelError: several models of a repository are on this machine, and none was chosen.
        NotFoundError: there is no such model or file.
        UnsupportedModelError: no engine here can run the variant.
        UsageError: the name is empty, or it is an address that does not lead to a model.
    """
    if not name.strip():
        raise UsageError(f"the name of the model is empty: {name!r}", _FOR_EXAMPLE)
    if is_typed_address(name) and not is_there(name):
        name = typed_name(name)
        return _from_repository(name) if is_repository(name) else _from_catalogue(resolve(name))
    path = expand(name)
    if any(len(part.encode(errors="replace")) > _LONGEST_PART for part in path.parts):
        raise NotFoundError(f"no model or file has a name of {len(name)} characters", _NAME_FIRST)
    if _is_path(name, path):
        return _from_path(path)
    if is_text(name):
        raise NotFoundError(f"the text {shortened(name)!r} is not the name of a model", _NAME_FIRST)
    return locate_name(name)


def locate_name(name: str) -> LocatedModel:
    """The file that ``name`` means where it cannot be a path or an address: files of that name are not looked at.

    Raises:
        PhiError: as for :func:`locate`.
    """
    registered = _registered(name)
    if registered is not None:
        return _from_registration(registered)
    return _from_repository(name) if is_repository(name) else _from_catalogue(resolve(name))


def _registered(name: str) -> registry.RegisteredModel | None:
    """The model registered as ``name``, which can have its quantization behind it."""
    base, colon, quant = name.rpartition(":")
    found = registry.find(name)
    if found is None and colon and (known := registry.find(base)) is not None:
        return next(iter(meant(quant, [known], lambda one: one.quant)), None)
    return found


def check_default(name: str) -> None:
    """Return if ``name`` can be a default model: one that can run here, is registered, is a repository, or is a path.

    It need not be on this machine yet.

    Raises:
        UsageError: it is empty.
        NotFoundError: it is none of them; the hint has close names.
        UnsupportedModelError: no engine here can run it.
    """
    if not name.strip():
        raise UsageError(f"the name of the model is empty: {name!r}", _FOR_EXAMPLE)
    if is_typed_address(name) and not is_there(name):
        name = typed_name(name)
    if _is_path(name, expand(name)) or _registered(name) is not None or is_repository(name):
        return
    if is_text(name):
        raise NotFoundError(f"the text {shortened(name)!r} is not the name of a model", _FOR_EXAMPLE)
    require_runnable(resolve(name).variant)


def is_text(name: str) -> bool:
    """Whether ``name`` is text to a model rather than the name of one, and not a path.

    It has white space, or a character that names do not have: a question in Chinese has no spaces.
    """
    if name.lower().endswith(".gguf") or is_typed_address(name) or is_there(name):
        return False
    return any(map(str.isspace, name.strip())) or _NAME_OR_PATH.fullmatch(name.strip()) is None


def shortened(text: str) -> str:
    """``text`` as a message quotes it: on one line, and not more than 60 characters."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_QUOTED else f"{line[:_LONGEST_QUOTED]}…"


def _is_path(name: str, path: Path) -> bool:
    """Whether ``name`` is meant as a path: a model of the catalog is not hidden by a folder of the same name."""
    if name.lower().endswith(".gguf"):
        return ":" not in name or path.exists()
    if "/" in name or "\\" in name or name.startswith((".", "~")):
        return path.exists() or name.startswith((".", "~", "/"))
    return path.is_file()


def _from_path(path: Path) -> LocatedModel:
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError("the path of the model is not UTF-8, which the engine needs", "rename the file") from None
    first = parts_of(path)[0]
    if first.is_file() and path.is_file():
        path = first
    for variant in catalog().variants:
        for source in variant.sources:
            for file in source.files:
                if file.filename == path.name:
                    return LocatedModel(path.name, str(path.absolute()), path, variant, file.quant)
    return LocatedModel(path.name, str(path.absolute()), path, None, None)


def _from_catalogue(selection: Selection) -> LocatedModel:
    variant = selection.variant
    require_runnable(variant)
    if variant.packaged_file:
        from importlib.resources import files

        packaged = files("phicli").joinpath("data", variant.packaged_file)
        return LocatedModel(variant.id, variant.id, Path(str(packaged)), variant, PACKAGED_QUANT)
    best = best_installed(installed(variant, selection.quant))
    if best is not None:
        reference = with_quant(variant.id, best.quant)
        return LocatedModel(variant.id, reference, best.path, variant, best.quant)
    own = [model for model in registry.registered() if model.variant_id == variant.id]
    for model in own if selection.quant is None else meant(selection.quant, own, lambda one: one.quant):
        if registry.is_current(model) and kind_of_file(model.path) in (FileKind.MODEL, None):
            return LocatedModel(variant.id, model.name, model.path, variant, model.quant)
    name = with_quant(variant.id, selection.quant)
    if variant.sources:
        raise _not_installed(name)
    raise NotFoundError(
        f"{name} is not on this machine, and no repository with its GGUF files is known",
        f"give the path of a file: {THIS_COMMAND} FILE.gguf",
    )


def _from_registration(model: registry.RegisteredModel) -> LocatedModel:
    if not registry.is_current(model):
        raise NotFoundError(
            f"{model.name} was registered, but {model.path} has been deleted or changed",
            f"register it again: phi cache import FILE --as {model.name}; or unregister it: phi rm {model.name}",
        )
    variant = catalog().variant(model.variant_id)
    return LocatedModel(model.name, model.name, model.path, variant, model.quant)


def _from_repository(name: str) -> LocatedModel:
    """A model of a repository in the cache, whether the catalog knows the repository or not."""
    repo, _, quant = name.partition(":")
    variant, sources = sources_of(repo)
    found = tuple(file for source in sources for file in installed_in(source))
    found = matching(quant, found) if quant else found
    best = best_installed(found) if variant else the_one(repo, found)
    if best is None:
        raise _not_installed(name)
    return LocatedModel(best.repo, f"{best.repo}:{best.filename}", best.path, variant, best.quant)


def _not_installed(name: str) -> NotInstalledError:
    return NotInstalledError(f"{name} is not on this machine", how_to_get(name), model=name)
