"""The JSON envelope that every command shares, and errors for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from phicli.errors import PhiError
from phicli.ui.terminal import BIDI, Terminal

SCHEMA = 1
_ESCAPED = {code: f"\\u{code:04x}" for code in BIDI}


def print_result(terminal: Terminal, command: str, data: Mapping[str, Any]) -> None:
    """One object on standard output: the result of ``command``."""
    _print(terminal, {"schema": SCHEMA, "command": command, "data": data})


def print_error(terminal: Terminal, command: str, error: PhiError, *, as_json: bool) -> None:
    """Tell what went wrong: one line and a hint on standard error, or one object on standard output."""
    if as_json:
        body: dict[str, Any] = {"code": error.code, "message": error.message, "hint": error.hint}
        envelope: dict[str, Any] = {"schema": SCHEMA, "command": command, "error": body}
        if error.data is not None:
            envelope["data"] = error.data
        _print(terminal, envelope)
        return
    terminal.alarm("error:", error.message)
    if error.hint:
        terminal.say(f"  → {error.hint}" if _encodes(terminal, "→") else f"  -> {error.hint}")


def _print(terminal: Terminal, envelope: Mapping[str, Any]) -> None:
    import json

    only_ascii = (terminal.stdout.encoding or "utf-8").lower().replace("-", "") != "utf8"
    text = json.dumps(envelope, ensure_ascii=only_ascii)
    terminal.write(text.translate(_ESCAPED) + "\n")  # the same JSON, and it looks on a terminal like what it is


def _encodes(terminal: Terminal, character: str) -> bool:
    try:
        character.encode(terminal.stderr.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True
