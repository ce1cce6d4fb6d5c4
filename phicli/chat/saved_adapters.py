"""The adapters (LoRA) that made the answers of a saved conversation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from phicli.chat.dialogue import Dialogue
from phicli.engine.types import Adapter


def adapters_of_answer(facts: Mapping[str, Any] | None) -> tuple[Adapter, ...]:
    """The adapters that an answer with these facts was made with; what cannot be one is left out."""
    settings = (facts or {}).get("settings")
    rows = settings.get("adapters") if isinstance(settings, Mapping) else None
    return tuple(
        Adapter(Path(row["path"]), float(row["scale"]))
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, Mapping) and _is_path(row.get("path")) and type(row.get("scale")) in (int, float)
    )


def adapters_of_dialogue(dialogue: Dialogue | None) -> tuple[Adapter, ...]:
    """The adapters of the last answer whose facts are known; none for a conversation that begins."""
    turns = () if dialogue is None else dialogue.turns
    return next((adapters_of_answer(turn.facts) for turn in reversed(turns) if turn.facts), ())


def _is_path(value: object) -> bool:
    return isinstance(value, str) and bool(value) and "\0" not in value
