"""The models that a remote listed when it was last asked, for completion. Nothing here is needed to ask one."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from phicli.paths import read_small, state_dir, write_atomically
from phicli.remotes.types import Remote

_MOST: Final = 500


def remember(remote: Remote, models: Sequence[str]) -> None:
    """Keep the names of ``models``; where that is not possible, completion does not know them."""
    kept = {name: entry for name, entry in _all().items() if name != remote.name}
    kept[remote.name] = {"url": remote.url, "models": list(models[:_MOST])}
    with contextlib.suppress(OSError):
        write_atomically(_file(), json.dumps(kept).encode())


def models_of(remote: Remote) -> tuple[str, ...]:
    """The models that the remote at this address listed last; empty where it was never asked."""
    entry = _all().get(remote.name, {})
    models = entry.get("models") if entry.get("url") == remote.url else None
    return tuple(name for name in models if isinstance(name, str)) if isinstance(models, list) else ()


def _file() -> Path:
    return state_dir() / "remotes-listed.json"


def _all() -> dict[str, dict[str, object]]:
    try:
        entries = json.loads(read_small(_file()))
    except (OSError, ValueError, RecursionError):
        return {}
    entries = entries if isinstance(entries, dict) else {}
    return {name: entry for name, entry in entries.items() if isinstance(entry, dict)}
