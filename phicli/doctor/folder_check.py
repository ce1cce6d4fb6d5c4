"""Whether the folders that phi writes to can be written, and whether there is space for a model."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from phicli.catalog.load import catalog
from phicli.catalog.quants import PREFERRED_QUANTS
from phicli.doctor.types import CacheFacts, Problem
from phicli.errors import reason_of
from phicli.hardware.disk import disk_at
from phicli.units import format_bytes


def why_not_writable(folder: Path) -> str | None:
    """What the system says against a new file in ``folder``; None where one can be made.

    A folder that does not exist is judged by the closest one above it that does. Nothing is left behind.
    """
    there = next((place for place in (folder, *folder.absolute().parents) if place.exists()), None)
    if there is None:
        return "no folder above it exists"
    if not there.is_dir():
        return f"{there} is not a folder"
    if there != folder:
        return None if os.access(there, os.W_OK | os.X_OK) else f"{there} cannot be written"
    try:
        with tempfile.TemporaryFile(dir=there):
            return None
    except OSError as error:
        return reason_of(error)


def cache_facts(folder: Path) -> CacheFacts:
    """The cache of models in ``folder``."""
    disk, _ = disk_at(folder)
    return CacheFacts(folder, why_not_writable(folder) is None, disk.free_bytes if disk else None)


def cache_problems(facts: CacheFacts) -> Iterator[Problem]:
    """What stands in the way of a download."""
    if not facts.writable:
        here = "models that are in it still work; " if facts.path.is_dir() else ""
        hint = f"{here}for downloads, set HF_HUB_CACHE to a folder that you can write to"
        yield Problem("cache_read_only", f"the cache {facts.path}: {why_not_writable(facts.path)}", hint)
        return
    name, needed = smallest_download()
    if facts.free_bytes is not None and facts.free_bytes < needed:
        free = format_bytes(facts.free_bytes)
        message = f"the disk of the cache has {free} free, but {name} needs {format_bytes(needed)}"
        hint = "free some space (phi cache list, phi cache prune), or set HF_HUB_CACHE to a folder on a larger disk"
        yield Problem("disk_full", message, hint)


def state_problems(folders: dict[str, Path]) -> Iterator[Problem]:
    """Folders of phi's own, by what they hold, that cannot be written."""
    refused = {what: reason for what, folder in folders.items() if (reason := why_not_writable(folder))}
    if refused:
        what, reason = next(iter(refused.items()))
        held = ", ".join(refused)
        message = f"phi cannot save its {held}: {folders[what]}: {reason}"
        yield Problem("state_read_only", message, "set PHI_HOME to a folder that you can write to")


def smallest_download() -> tuple[str, int]:
    """The model of the catalog with the smallest usual file, and the bytes of that."""
    sizes = {
        variant.id: file.size_bytes
        for variant in catalog().variants
        if variant.runs_here
        for source in variant.sources
        for file in source.files
        if file.quant == PREFERRED_QUANTS[0] and file.size_bytes
    }
    return min(sizes.items(), key=lambda item: item[1])
