"""What tuning found on this machine for a file, for whoever loads it or shows it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from phicli.hub.layout import sha256_in_name
from phicli.hub.verified import recorded
from phicli.records.tuned import Tuned
from phicli.records.tuned_files import Kept, find_tuned, mark_told

if TYPE_CHECKING:
    from phicli.plan.description import VariantDescription
    from phicli.plan.file_description import FileDescription


@dataclass(frozen=True, slots=True)
class TunedHere:
    """What holds for a file: ``current`` here and now. ``stale`` no longer applies, and this was not yet reported."""

    current: Tuned | None
    stale: Tuned | None = None


def kept_for(path: Path) -> Kept:
    """What is saved for the model file at ``path``; reads two small files and the ends of the model file."""
    return find_tuned(path, known_sha256(path))


def tuned_for(path: Path, *, tell: bool) -> TunedHere:
    """What holds for the model file at ``path``.

    Args:
        path: the model file.
        tell: whether the caller tells a person about what is stale. It is returned for that only once.
    """
    kept = kept_for(path)
    if kept.stale is None or kept.told or not tell:
        return TunedHere(kept.current)
    mark_told(path, known_sha256(path))
    return TunedHere(kept.current, kept.stale)


def tuned_files(shown: VariantDescription | FileDescription) -> tuple[tuple[str | None, Tuned], ...]:
    """What holds here and now for the files of what is shown, with their quantizations."""
    from phicli.catalog.quants import PACKAGED_QUANT
    from phicli.plan.file_description import FileDescription

    if isinstance(shown, FileDescription):
        files = [(shown.quant, shown.path)]
    else:
        files = [(model.quant, model.path) for model in shown.installed]
        files += [(PACKAGED_QUANT, shown.packaged_path)] if shown.packaged_path else []
    found = ((quant, kept_for(path).current) for quant, path in files)
    return tuple((quant, tuned) for quant, tuned in found if tuned is not None)


def known_sha256(path: Path) -> str | None:
    """The hash of the file at ``path`` where it was taken before, or is its name in the cache."""
    record = recorded(path)
    return sha256_in_name(Path(os.path.realpath(path))) if record is None else record.sha256
