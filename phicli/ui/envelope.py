"""The JSON envelope that every command shares, and errors for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from phicli.errors import PhiError
from phicli.ui.terminal import BIDI, Terminal

SCHEMA = 1
_ESCAPED = {code: f"\\u{code:04x}" for code in (*BIDI, *range(0x7F, 0xA0), 0x2028, 0x2029)}
"""What JSON may have as it is, but turns a line round, is a command to a terminal, or ends a line for some readers."""


def print_result(terminal: Terminal, command: str, data: Mapping[str, Any]) -> None:
    """One object on standard output: the result of ``command``."""
    _print(terminal, {"schema": SCHEMA, "command": command, "data": data})


def print_error(terminal: Terminal, command: str, error: PhiError, *, as_json: bool) -> None:
    """Tell what went wrong: one line and a hint on standard error, or one object on standard output."""
    hint = error.hint_for(command)
    if as_json:
        body: dict[str, Any] = {"code": error.code, "message": error.message, "hint": hint}
        envelope: dict[str, Any] = {"schema": SCHEMA, "command": command, "error": body}
        if error.data is not None:
            envelope["data"] = error.data
        _print(terminal, envelope)
        return
    terminal.alarm("error:", error.message)
    if hint:
        terminal.say(f"  → {hint}" if _encodes(terminal, "→") else f"  -> {hint}", indent=4)


def json_line(terminal: Terminal, value: Any) -> str:
    """``value`` as JSON on one line, with its end, in characters that ``terminal`` shows as what they are."""
    import json

    only_ascii = (terminal.stdout.encoding or "utf-8").lower().replace("-", "") != "utf8"
    return json.dumps(value, ensure_ascii=only_ascii).translate(_ESCAPED) + "\n"


def json_text(value: Any) -> str:
    """``value`` as JSON on several lines, for a file that people read too: all but commands to a terminal as it is."""
    import json

    return json.dumps(value, ensure_ascii=False, indent=2).translate(_ESCAPED) + "\n"


def _print(terminal: Terminal, envelope: Mapping[str, Any]) -> None:
    terminal.write(json_line(terminal, envelope))


def _encodes(terminal: Terminal, character: str) -> bool:
    try:
        character.encode(terminal.stderr.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True
