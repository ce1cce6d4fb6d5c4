"""The folder of tuned settings. Each chat looks for it at its start, so little is imported here."""

from __future__ import annotations

from pathlib import Path

from phicli.paths import data_dir


def tuned_folder() -> Path:
    """The folder of the files. It need not exist."""
    return data_dir() / "tuned"


def anything_tuned() -> bool:
    """Whether settings were tuned on this machine, or on another machine with the same home."""
    try:
        return any(tuned_folder().iterdir())
    except OSError:
        return False
