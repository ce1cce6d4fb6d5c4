"""Looks for models that other programs have fetched, and says which of them are Phi."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from phicli.errors import IntegrityError, NotFoundError, PhiError, UsageError
from phicli.hub.in_place.lm_studio import find_lm_studio
from phicli.hub.in_place.matching import Identity, identify
from phicli.hub.in_place.ollama import find_ollama
from phicli.hub.in_place.registration import register
from phicli.hub.in_place.registry import RegisteredModel, registered
from phicli.hub.in_place.types import Findings, FoundFile, Skipped
from phicli.hub.types import Progress, silent
from phicli.hub.write_errors import UnwritableError


@dataclass(frozen=True, slots=True)
class Scanned:
    """A usable file of another program. ``model`` is its registration, None when it has none."""

    file: FoundFile
    identity: Identity
    model: RegisteredModel | None

    @property
    def is_new(self) -> bool:
        """A model of the catalog that is not registered yet."""
        return self.identity.match is not None and self.model is None


@dataclass(frozen=True, slots=True)
class Scan:
    """All findings; ``findings.skipped`` has what cannot be used, damaged files included.

    ``failed`` are models that were to be registered and could not be, with the reasons.
    """

    findings: Findings
    models: tuple[Scanned, ...]
    failed: tuple[Skipped, ...] = ()


def scan(on_progress: Progress = silent) -> Scan:
    """Look through the folders of Ollama and LM Studio. Nothing is registered and nothing is written there."""
    ollama, lm_studio = find_ollama(), find_lm_studio()
    known = {os.path.realpath(model.path): model for model in registered()}
    models: list[Scanned] = []
    skipped = [*ollama.skipped, *lm_studio.skipped]
    for file in (*ollama.found, *lm_studio.found):
        try:
            identity = identify(file.path, claimed_sha256=file.sha256, on_progress=on_progress)
        except (PhiError, OSError) as error:
            skipped.append(Skipped(file.origin, file.label, str(error)))
        else:
            models.append(Scanned(file, identity, known.get(os.path.realpath(file.path))))
    folders, found = ollama.folders + lm_studio.folders, ollama.found + lm_studio.found
    return Scan(Findings(folders, found, tuple(skipped)), tuple(models))


def register_new(seen: Scan) -> Scan:
    """Register those that are models of the catalog and are not registered yet; one that fails stops no other.

    Raises:
        UnwritableError: no name can be kept here.
    """
    models: list[Scanned] = []
    failed: list[Skipped] = []
    for one in seen.models:
        try:
            models.append(_registered(one) if one.is_new else one)
        except UnwritableError:
            raise
        except (UsageError, NotFoundError, IntegrityError) as error:
            models.append(one)
            failed.append(Skipped(one.file.origin, one.file.label, error.message))
    return replace(seen, models=tuple(models), failed=tuple(failed))


def _registered(one: Scanned) -> Scanned:
    # Ollama's files are named after their hash, so its own name for the model is the better one.
    label = one.file.label.removesuffix(":latest").rpartition("/")[2] if one.file.origin == "ollama" else None
    made = register(one.file.path, origin=one.file.origin, label=label, identity=one.identity)
    return Scanned(one.file, one.identity, made.model)
