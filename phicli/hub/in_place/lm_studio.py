"""Finds the models of LM Studio: ``PUBLISHER/REPOSITORY/FILE.gguf`` under its folder of models. Never writes there.

Where that is: LM Studio's own ``lms`` takes its home from ``~/.lmstudio-home-pointer``, else ``~/.cache/lm-studio``
(older installations), else ``~/.lmstudio``; the ``downloadsFolder`` of its ``settings.json`` moves the models.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from phicli.gguf_file.names import first_part, is_gguf_name, whole_size
from phicli.hub.in_place.folders import broken_folder, skipped_folders
from phicli.hub.in_place.types import Findings, FoundFile, Skipped
from phicli.hub.walking import BROKEN_LINK, is_broken_link, walk
from phicli.paths import expand, read_small

ORIGIN: Final = "lm-studio"


def lm_studio_folders() -> tuple[Path, ...]:
    """Where LM Studio keeps models: what its settings say comes first. Not all of them need to exist."""
    homes = [expand("~/.lmstudio"), expand("~/.cache/lm-studio")]
    pointed = _pointed_home()
    if pointed is not None:
        homes.insert(0, pointed)
    folders = [folder for home in homes for folder in (_downloads_folder(home), home / "models") if folder is not None]
    return tuple(dict.fromkeys(folders))


def find_lm_studio(folders: tuple[Path, ...] | None = None) -> Findings:
    """The models in LM Studio's ``folders`` (its usual ones by default); a file with two paths comes once."""
    found: dict[str, FoundFile] = {}
    skipped: dict[str, Skipped] = {}
    looked: list[Path] = []
    for folder in lm_studio_folders() if folders is None else folders:
        skipped |= {broken.label: broken for broken in broken_folder(folder, ORIGIN)}
        if not os.path.isdir(folder):  # noqa: PTH112 (false for what cannot be a path)
            continue
        looked.append(folder)
        below = walk(folder)
        for path in filter(_is_model, below.files):
            label = path.relative_to(folder).as_posix()
            size_bytes = whole_size(path)
            real = os.path.realpath(path)
            if size_bytes is None:
                why = BROKEN_LINK if is_broken_link(path) else "some of its parts are missing"
                skipped.setdefault(real, Skipped(ORIGIN, label, why))
            else:
                found.setdefault(real, FoundFile(path, ORIGIN, label, None, size_bytes))
        others = [path for path in below.files if not is_gguf_name(path.name)]
        for left in skipped_folders(below, folder, ORIGIN, others):
            skipped.setdefault(str(folder / left.label), left)
    return Findings(tuple(looked), tuple(found.values()), tuple(skipped.values()))


def _pointed_home() -> Path | None:
    try:
        text = read_small(expand("~/.lmstudio-home-pointer")).decode().strip()
    except (OSError, ValueError):
        return None
    return expand(text) if text and "\0" not in text else None


def _downloads_folder(home: Path) -> Path | None:
    try:
        folder = json.loads(read_small(home / "settings.json"))["downloadsFolder"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return expand(folder) if isinstance(folder, str) and folder and "\0" not in folder else None


def _is_model(path: Path) -> bool:
    """Whether ``path`` is a GGUF file by its name: of a split model the first part, not hidden."""
    name = path.name
    return is_gguf_name(name) and not name.startswith(".") and first_part(name) == name
