"""Finds the adapter (LoRA) that a repository has: as PEFT saves it, or as GGUF."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from phicli.catalog.quants import quant_of_filename
from phicli.errors import AmbiguousModelError
from phicli.gguf_file.kind import FileKind, kind_by_name
from phicli.gguf_file.names import is_gguf_name
from phicli.hub.download.choose import Look
from phicli.hub.download.listing import some
from phicli.hub.types import RemoteFile, RemoteModel, RemoteRepo

CONFIG: Final = "adapter_config.json"
WEIGHTS: Final = "adapter_model.safetensors"
_MOST_LOOKS: Final = 8


def adapter_in(repo: RemoteRepo, wanted: str | None, look: Look) -> RemoteModel | None:
    """The adapter of ``repo``; of PEFT the weights come first. None where it has none, or not the ``wanted`` one.

    Args:
        repo: a repository without the model that was asked for.
        wanted: the name of a GGUF file; None for the only adapter. Quantizations are those of models.
        look: looks into the beginning of a file.

    Raises:
        AmbiguousModelError: it has several GGUF adapters, and none was named.
    """
    files = {file.name: file for file in repo.files}
    if wanted is not None:
        named = files.get(wanted) if is_gguf_name(wanted) else None
        return None if named is None else next(iter(_adapters(repo, [named], look)), None)
    if CONFIG in files and WEIGHTS in files:
        return RemoteModel(repo, None, (files[WEIGHTS], files[CONFIG]))
    found = _adapters(repo, [file for name, file in sorted(files.items()) if is_gguf_name(name)], look)
    if len(found) > 1:
        names = [file.name for file in found]
        raise AmbiguousModelError(
            f"{repo.repo} has {len(found)} adapters: {some(names)}",
            f"choose one: phi pull {repo.repo}:{names[0]}",
            choices={f"{repo.repo}:{file.name}": file.size_bytes for file in found},
        )
    return found[0] if found else None


def _adapters(repo: RemoteRepo, files: Sequence[RemoteFile], look: Look) -> list[RemoteModel]:
    """Those of ``files`` that are adapters: by their beginnings, else by their names."""
    found = []
    for file in files[:_MOST_LOOKS]:
        one = RemoteModel(repo, quant_of_filename(file.name), (file,))
        if (look(one) or kind_by_name(file.name)) is FileKind.ADAPTER:
            found.append(one)
    return found
