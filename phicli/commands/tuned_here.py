"""What tuning found on this machine for a file, for the commands that use it or show it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from phicli.plan.locate import LocatedModel
from phicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from phicli.plan.description import VariantDescription
    from phicli.plan.file_description import FileDescription
    from phicli.plan.tuned import Tuned
    from phicli.records.tuned_files import Kept


def kept_for(path: Path) -> Kept:
    """What is kept for the model file at ``path``; reads two small files and the ends of the model file."""
    from phicli.records.tuned_files import find_tuned

    return find_tuned(path, known_sha256(path))


def tuned_for(terminal: Terminal, model: LocatedModel, *, quiet: bool) -> Tuned | None:
    """What holds for ``model`` here and now; what does not hold any more is told on standard error, once."""
    kept = kept_for(model.path)
    if kept.stale is not None and not kept.told and not quiet:
        from phicli.records.tuned_files import mark_told
        from phicli.ui.bench.tuned_settings import stale_says

        terminal.say(stale_says(kept.stale, model.reference))
        mark_told(model.path, known_sha256(model.path))
    return kept.current


def tuned_files(shown: VariantDescription | FileDescription) -> tuple[tuple[str | None, Tuned], ...]:
    """What holds here and now for the files of what is shown, with their quantisations."""
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
    from phicli.hub.layout import sha256_in_name
    from phicli.hub.verified import recorded

    record = recorded(path)
    return sha256_in_name(path.resolve()) if record is None else record.sha256
