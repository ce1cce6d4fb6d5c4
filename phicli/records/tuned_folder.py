"""The folder of what tuning found. A chat asks at its start whether there is anything, so little is imported here."""

from __future__ import annotations

from pathlib import Path

from phicli.paths import data_dir


def tuned_folder() -> Path:
    """Where the files are; it need not exist."""
    return data_dir() / "tuned"


def anything_tuned() -> bool:
    """Whether anything was tuned on this machine, or on another one with the same home."""
    try:
        return any(tuned_folder().iterdir())
    except OSError:
        return False
