"""The folders that the environment names, for a process that runs in another folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from phicli.paths import expand

_FOLDERS: Final = (
    "PHI_HOME", "HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME",
)  # fmt: skip


def absolute_folders(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that are set and name folders, each with its absolute path."""
    return {name: str(expand(environ[name]).absolute()) for name in _FOLDERS if environ.get(name)}
