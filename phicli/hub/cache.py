"""Finds GGUF files in the standard Hugging Face cache (:mod:`phicli.hub.layout`)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from phicli.catalog.names import is_repo_name
from phicli.catalog.quants import meant, preference, quant_of_filename, without_quant
from phicli.catalog.types import GgufSource, Variant
from phicli.errors import TYPED_COMMAND, AmbiguousModelError
from phicli.gguf_file.kind import FileKind, kind_by_name
from phicli.gguf_file.names import first_part, is_gguf_name, parts_of, whole_size
from phicli.gguf_file.start import seems_a_model
from phicli.hub.layout import commit_of, files_of, repo_root, snapshots_of
from phicli.paths import NOWHERE


@dataclass(frozen=True, slots=True)
class InstalledFile:
    """A model on disk: the first file of it, and the size in bytes of all of its parts.

    ``quant`` is None when neither the catalog nor the name of the file tells it; ``revision`` is a commit.
    """

    repo: str
    filename: str
    quant: str | None
    path: Path
    revision: str
    size_bytes: int


def cache_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Where the cache is: ``HF_HUB_CACHE``, ``HF_HOME``, ``XDG_CACHE_HOME``, home.

    These are huggingface_hub's own rules, but for variables that are empty, which it takes for the current folder.
    """
    env = os.environ if environ is None else environ
    if folder := env.get("HF_HUB_CACHE") or env.get("HUGGINGFACE_HUB_CACHE"):
        return _expand(folder)
    home = env.get("HF_HOME") or str(Path(env.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface")
    return _expand(home) / "hub"


def installed_in(
    source: GgufSource, *, folder: Path | None = None, revision: str | None = None
) -> tuple[InstalledFile, ...]:
    """The models of one repository that are on disk: those the source lists, in its order, then others by name.

    ``revision`` (a branch, tag or commit that the cache remembers) leaves only those that belong to it.

    A file of several parts counts when all are there, and a link when it leads to a file, wherever that is. Projectors,
    adapters and other files that are not models do not count.
    """
    if not is_repo_name(source.repo):
        return ()
    found: dict[str, InstalledFile] = {}
    listed = {file.filename: file.quant for file in source.files}
    root = repo_root(folder or cache_folder(), source.repo)
    commit = (commit_of(root, revision) or revision) if revision else None
    for snapshot in snapshots_of(root):
        if commit not in (None, snapshot.name):
            continue
        for name in _model_names(snapshot):
            if name in found:
                continue
            size = _size(snapshot / name)
            if size is not None:
                quant = listed.get(name) or quant_of_filename(name)
                found[name] = InstalledFile(source.repo, name, quant, snapshot / name, snapshot.name, size)
    order = {name: place for place, name in enumerate(listed)}
    return tuple(sorted(found.values(), key=lambda file: (order.get(file.filename, len(order)), file.filename)))


def installed(variant: Variant, quant: str | None = None, *, folder: Path | None = None) -> tuple[InstalledFile, ...]:
    """What is on disk of ``variant``: sources in the catalog's order; only ``quant`` when one is given."""
    files = tuple(file for source in variant.sources for file in installed_in(source, folder=folder))
    return files if quant is None else matching(quant, files)


def matching(wanted: str, files: tuple[InstalledFile, ...]) -> tuple[InstalledFile, ...]:
    """Those of ``files`` that have the quantization ``wanted``, or the name that it is (``….gguf``), of any part."""
    if is_gguf_name(wanted):
        return tuple(file for file in files if file.filename == first_part(wanted))
    return tuple(meant(wanted, files, lambda file: file.quant))


def best_installed(files: tuple[InstalledFile, ...]) -> InstalledFile | None:
    """The file to run when no quantization was asked for; None when there is none. Earlier ones win a tie."""
    return min(files, key=lambda file: preference(file.quant), default=None)


def the_one(repo: str, found: tuple[InstalledFile, ...]) -> InstalledFile | None:
    """The best of ``found``, which must be files of one model by their names; None of none.

    Raises:
        AmbiguousModelError: they are files of several models.
    """
    named = tuple(file for file in found if kind_by_name(file.filename) is FileKind.MODEL) or found
    best = best_installed(named)
    if best is None:
        return None
    models = {without_quant(best.filename): best}
    for file in sorted(named, key=lambda file: preference(file.quant)):
        if file is not best:
            models.setdefault(file.filename if file.quant == best.quant else without_quant(file.filename), file)
    if len(models) == 1:
        return best
    choices = {f"{repo}:{file.filename}": file.size_bytes for file in models.values()}
    message = f"{len(models)} models of {repo} are on this machine: {', '.join(choices)}"
    raise AmbiguousModelError(message, f"choose one: {TYPED_COMMAND} {next(iter(choices))}", choices=choices)


def _expand(text: str) -> Path:
    """With ``~`` and variables replaced; below :data:`NOWHERE` where there is no home, not below a folder called ~."""
    path = Path(os.path.expandvars(os.path.expanduser(text)))  # noqa: PTH111 - expandvars takes text
    return NOWHERE.joinpath(*path.parts[1:]) if path.parts[:1] == ("~",) else path


def _size(path: Path) -> int | None:
    """Bytes of all parts of the model, None when one is not a file."""
    return whole_size(path) if all(part.is_file() for part in parts_of(path)) else None


def _model_names(snapshot: Path) -> list[str]:
    """Names (with folders) of the models in a snapshot: of a split model the first part."""
    names = (path.relative_to(snapshot).as_posix() for path in files_of(snapshot))
    firsts = (name for name in names if is_gguf_name(name) and first_part(name) == name)
    return sorted(name for name in firsts if seems_a_model(snapshot / name))
