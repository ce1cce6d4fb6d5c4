"""What ``phi sessions export``, ``import`` and ``rename`` print."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from phicli.chat.dialogue import Dialogue
from phicli.chat.transfer import markdown_text, messages_data, openai_data
from phicli.ui.envelope import json_text, print_result
from phicli.ui.terminal import Terminal
from phicli.units import counted

if TYPE_CHECKING:
    from phicli.chat.store.sessions import SavedSession, SessionInfo

ENDINGS: Final = {"markdown": "md", "json": "json", "openai": "json"}
"""The forms of an export, and how the name of a file ends."""


def export_text(name: str, model: str, dialogue: Dialogue, form: str) -> str:
    """A conversation in one of the forms of :data:`~phicli.chat.talk.ExportForm`, with the end of its last line."""
    return _WRITERS[form](name, model, dialogue)


def print_written(terminal: Terminal, saved: SavedSession, path: Path, *, as_json: bool) -> None:
    """Report that the session is in the file ``path``.

    Raises:
        OutputClosedError: the reader has closed standard output.
    """
    if as_json:
        print_result(
            terminal, "sessions export", {"name": saved.info.name, "path": str(path), "turns": saved.info.turns}
        )
    else:
        terminal.say(f"{counted(saved.info.turns, 'turn')} of {saved.info.name} written to {path}")


def print_imported(terminal: Terminal, saved: SavedSession, *, as_json: bool) -> None:
    """Report the new session, and how to continue it.

    Raises:
        OutputClosedError: the reader has closed standard output.
    """
    info = saved.info
    if as_json:
        print_result(terminal, "sessions import", asdict(info))
        return
    unanswered = sum(turn.answer is None for turn in saved.dialogue.turns)
    if unanswered:
        terminal.say(f"note: {counted(unanswered, 'question')} without an answer: not sent to the model")
    command = shlex.join(["phi", "chat", "--session", info.name])
    terminal.say(f"imported {counted(info.turns, 'turn')} as {info.name} for {info.model}; to continue: {command}")


def print_renamed(terminal: Terminal, old: str, info: SessionInfo, *, as_json: bool) -> None:
    """Report the new name.

    Raises:
        OutputClosedError: the reader has closed standard output.
    """
    if as_json:
        print_result(terminal, "sessions rename", {"old_name": old, **asdict(info)})
    else:
        terminal.say(f"{old} is now {info.name}")


def _json(name: str, model: str, dialogue: Dialogue) -> str:
    return json_text({"name": name, "model": model, "messages": messages_data(dialogue)})


def _openai(_name: str, _model: str, dialogue: Dialogue) -> str:
    return json_text({"messages": openai_data(dialogue)})


def _lines(_name: str, _model: str, dialogue: Dialogue) -> str:
    return "".join(f"{json.dumps(message, ensure_ascii=False)}\n" for message in openai_data(dialogue))


_WRITERS: Final[Mapping[str, Callable[[str, str, Dialogue], str]]] = {
    "markdown": markdown_text, "json": _json, "openai": _openai, "lines": _lines,
}  # fmt: skip
