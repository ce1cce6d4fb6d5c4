"""Finds the adapter (LoRA) that a repository has: as PEFT saves it, or as GGUF."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

from phicli.catalog.quants import quant_of_filename
from phicli.errors import AmbiguousModelError, NotFoundError
from phicli.gguf_file.kind import FileKind, kind_by_name
from phicli.gguf_file.names import is_gguf_name
from phicli.hub.download.choose import Look
from phicli.hub.download.listing import some
from phicli.hub.peft_files import CONFIG, PICKLE, WEIGHTS
from phicli.hub.types import RemoteFile, RemoteModel, RemoteRepo

_MOST_LOOKS: Final = 8


def adapter_in(repo: RemoteRepo, wanted: str | None, look: Look) -> RemoteModel | None:
    """The adapter of ``repo``; of PEFT the weights come first. None where it has none, or not the ``wanted`` one.

    Args:
        repo: a repository without the model that was asked for.
        wanted: the name of a GGUF file, or a folder with an adapter of PEFT; None for the only adapter, or that of the
            repository as a whole. Quantizations are those of models.
        look: looks into the beginning of a file.

    Raises:
        AmbiguousModelError: it has several adapters, and none was named.
        NotFoundError: the weights of its adapter are in a format that is not read.
    """
    files = {file.name: file for file in repo.files}
    folders = {name.removesuffix(CONFIG).rstrip("/"): name for name in files if PurePosixPath(name).name == CONFIG}
    if wanted is not None and is_gguf_name(wanted):
        named = files.get(wanted)
        return None if named is None else next(iter(_adapters(repo, [named], look)), None)
    if wanted is not None:
        folder = next((one for one in folders if one and one.lower() == wanted.strip("/").lower()), None)
        return None if folder is None else _saved_by_peft(repo, files, folder)
    if "" in folders:
        return _saved_by_peft(repo, files, "")
    found = _adapters(repo, [file for name, file in sorted(files.items()) if is_gguf_name(name)], look)
    names = [*(file.name for file in found), *sorted(folders, key=_naturally)]
    if len(names) > 1:
        raise AmbiguousModelError(
            f"{repo.repo} has {len(names)} adapters: {some(names)}",
            f"choose one: phi pull {repo.repo}:{names[-1] if not found else names[0]}",
            choices={f"{repo.repo}:{name}": _size(files, name) for name in names},
        )
    if found or not names:
        return found[0] if found else None
    return _saved_by_peft(repo, files, names[0])


def _saved_by_peft(repo: RemoteRepo, files: Mapping[str, RemoteFile], folder: str) -> RemoteModel:
    """The adapter in a folder of the repository; empty for the repository itself."""
    before = f"{folder}/" if folder else ""
    weights = files.get(before + WEIGHTS)
    if weights is not None:
        return RemoteModel(repo, None, (weights, files[before + CONFIG]))
    name = repo.repo + (f":{folder}" if folder else "")
    if before + PICKLE in files:
        raise NotFoundError(
            f"{name} is an adapter (LoRA) with its weights in {PICKLE}, a Python pickle, which phi does not read: it "
            "could run any code",
            "load it with PEFT where you trust it, and save it again: "
            "model.save_pretrained(FOLDER, safe_serialization=True); then: phi adapters add FOLDER",
        )
    raise NotFoundError(f"{name} is an adapter (LoRA) without {WEIGHTS}", "ask its owner for it")


def _size(files: Mapping[str, RemoteFile], name: str) -> int:
    """Of a file, or of the weights in a folder."""
    file = files.get(name) or files.get(f"{name}/{WEIGHTS}")
    return 0 if file is None else file.size_bytes


def _naturally(name: str) -> list[tuple[int, str]]:
    """An order in which ``checkpoint-20`` comes before ``checkpoint-100``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _adapters(repo: RemoteRepo, files: Sequence[RemoteFile], look: Look) -> list[RemoteModel]:
    """Those of ``files`` that are adapters: by their beginnings, else by their names."""
    found = []
    for file in files[:_MOST_LOOKS]:
        one = RemoteModel(repo, quant_of_filename(file.name), (file,))
        if (look(one) or kind_by_name(file.name)) is FileKind.ADAPTER:
            found.append(one)
    return found
