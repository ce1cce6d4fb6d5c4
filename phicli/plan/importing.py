"""Takes a model in, from a file or an archive, and says what to type for it afterwards."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from phicli.catalog.display_name import with_quant
from phicli.catalog.load import catalog
from phicli.errors import PhiError
from phicli.hub.archive.format import is_archive
from phicli.hub.archive.importing import Imported, import_archive
from phicli.hub.in_place.registration import Registration, register
from phicli.hub.types import Progress, silent
from phicli.plan.locate import locate


@dataclass(frozen=True, slots=True)
class NewModel:
    """A model that came in.

    ``model_id`` is its id in the catalog of this machine, None for what that does not know. ``command_name`` is what
    to type for it.
    """

    done: Registration | Imported
    model_id: str | None
    command_name: str


def import_model(path: Path, *, name: str | None = None, on_progress: Progress = silent) -> NewModel:
    """Take in an archive of ``phi cache export``, or register any other file in place; as ``name`` where given.

    Raises:
        PhiError: as :func:`phicli.hub.archive.importing.import_archive` and
            :func:`phicli.hub.in_place.registration.register` raise them.
    """
    if is_archive(path):
        done = import_archive(path, name=name, on_progress=on_progress)
        known = catalog().variant(done.manifest.model)  # the catalog that wrote it may know more than this one
        return NewModel(done, known.id if known else None, _command_name(done))
    made = register(path, name=name, on_progress=on_progress)
    return NewModel(made, made.model.variant_id, made.model.name)


def _command_name(done: Imported) -> str:
    """What means the model on this machine: the manifest's word for it is not taken."""
    manifest = done.manifest
    tries = [done.name] if done.name else []
    if manifest.model:
        tries.append(with_quant(manifest.model, manifest.quant))
    if manifest.repo:
        tries += [manifest.repo, f"{manifest.repo}:{manifest.files[0].name}"]
    return next((name for name in tries if _means(name, done)), str(done.path))


def _means(name: str, done: Imported) -> bool:
    try:
        return os.path.samefile(locate(name).path, done.path)  # noqa: PTH121 (takes what may be gone by now)
    except (PhiError, OSError, ValueError):
        return False
