"""Saved conversations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from phicli.chat.dialogue import Dialogue, Turn
from phicli.chat.store.sessions import Sessions
from phicli.chat_format.types import Message

FACTS: Mapping[str, Any] = MappingProxyType(
    {
        "model": "phi-4-mini:q4_k_m",
        "engine": "xllamacpp",
        "build": "xllamacpp 1",
        "seed": 42,
        "sampling": {"temperature": 0.7, "top_k": 40, "top_p": 0.95, "min_p": 0.05, "max_tokens": None, "seed": 42},
        "settings": {
            "temperature": 0.0, "stop": ["END"], "context_tokens": 4096, "threads": 2, "batch_tokens": 128,
            "kv_type": "f16", "flash_attention": "auto", "repack": True, "gpu_layers": -1, "speculation": "none",
        },
        "usage": {"prompt_tokens": 10, "completion_tokens": 3, "cached_tokens": 0},
        "finish_reason": "stop",
        "reasoning": "hm, two",
    }
)  # fmt: skip


def dialogue_of(count: int, *, about: str = "") -> Dialogue:
    """A conversation of so many turns."""
    turns = [
        Turn(f"question {number}{about}", (), (Message("assistant", f"answer {number}{about}"),), FACTS)
        for number in range(1, count + 1)
    ]
    return Dialogue("be brief", tuple(turns))


def sessions_in(environment: Mapping[str, str]) -> Sessions:
    """The sessions of the ``phi`` that runs in ``environment``."""
    return Sessions(Path(environment["PHI_HOME"]) / "data" / "sessions.sqlite")


def aged(sessions: Sessions, name: str, updated_at: str) -> None:
    """Give the session ``name`` another time."""
    import sqlite3

    with sqlite3.connect(Path(sessions.path)) as database:
        changed = database.execute("UPDATE sessions SET updated_at = ? WHERE name = ?", (updated_at, name)).rowcount
    database.close()
    assert changed == 1
