"""The settings that were tuned on this machine for a file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from phicli.engine.starting import EngineChoice
from phicli.hub.layout import sha256_in_name
from phicli.hub.verified import recorded
from phicli.records.tuned import Tuned
from phicli.records.tuned_files import Kept, engine_of, find_every, find_faster, find_tuned, mark_told

if TYPE_CHECKING:
    from phicli.plan.description import VariantDescription
    from phicli.plan.file_description import FileDescription


@dataclass(frozen=True, slots=True)
class TunedHere:
    """The ``engine`` of a file, and the settings that were tuned for it on this machine.

    ``stale`` no longer applies, and this was not yet reported.
    """

    engine: EngineChoice
    current: Tuned | None = None
    stale: Tuned | None = None


def tuned_for(path: Path, use: str, *, engine: EngineChoice | None = None, tell: bool) -> TunedHere:
    """What holds for the model file at ``path``; reads two small files and the ends of the model file.

    Args:
        path: the model file.
        use: one of :data:`phicli.records.tuned.USES`.
        engine: that was asked for; None for the one that was measured to be faster for ``use``, else the default one.
        tell: whether the caller tells a person about what is stale. It is returned for that only once.
    """
    sha256 = known_sha256(path)
    faster = Kept() if engine is not None else find_faster(path, sha256, use)
    if faster.current is not None:
        return TunedHere(engine_of(faster.current), faster.current)
    choice = engine or EngineChoice()
    kept = find_tuned(path, sha256, engine=choice)
    stale = [one for one in (faster, kept) if tell and one.stale is not None and not one.told]
    for one in stale:
        mark_told(path, sha256, one.here)
    return TunedHere(choice, kept.current, stale[0].stale if stale else None)


def tuned_files(shown: VariantDescription | FileDescription) -> tuple[tuple[str | None, Tuned], ...]:
    """What holds here and now for the files of what is shown, with their quantizations."""
    from phicli.catalog.quants import PACKAGED_QUANT
    from phicli.plan.file_description import FileDescription

    if isinstance(shown, FileDescription):
        files = [(shown.quant, shown.path)]
    else:
        files = [(model.quant, model.path) for model in shown.installed]
        files += [(PACKAGED_QUANT, shown.packaged_path)] if shown.packaged_path else []
    return tuple((quant, tuned) for quant, path in files for tuned in find_every(path, known_sha256(path)))


def known_sha256(path: Path) -> str | None:
    """The hash of the file at ``path`` where it was taken before, or is its name in the cache."""
    record = recorded(path)
    return sha256_in_name(Path(os.path.realpath(path))) if record is None else record.sha256
