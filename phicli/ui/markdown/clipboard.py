"""Text for the clipboard of the terminal, also over SSH."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Final

from phicli.errors import UsageError
from phicli.ui.terminal import Terminal

MOST_BYTES: Final = 74_994
"""Bytes of text, in UTF-8, that terminals take: many accept at most 100,000 bytes in a control sequence."""

_IN_SCREEN: Final = 256
"""Bytes of a control sequence that GNU Screen passes on at a time."""
_ELSE: Final = "select the text with the mouse, or save it with /export"


def to_clipboard(terminal: Terminal, text: str, environment: Mapping[str, str]) -> str:
    """Ask the terminal to put ``text`` on its clipboard.

    Returns:
        What has to be set for that in the program between ``phi`` and the terminal; empty where there is none.

    Raises:
        UsageError: standard output cannot do that, or the text is too long.
    """
    if not terminal.stdout.isatty():
        raise UsageError("nothing was copied: standard output is not a terminal", _ELSE)
    if terminal.dumb:
        raise UsageError("nothing was copied: this terminal has no clipboard (TERM=dumb)", _ELSE)
    size = len(text.encode("utf-8", "replace"))
    if size > MOST_BYTES:
        raise UsageError(
            f"nothing was copied: the text has {size:,} bytes, and many terminals take at most {MOST_BYTES:,}", _ELSE
        )
    sequence = clipboard_sequence(text)
    if environment.get("TMUX"):
        terminal.paint(sequence)
        return "tmux passes the text on only after: tmux set -s set-clipboard on"
    if environment.get("STY"):
        terminal.paint(_through_screen(sequence))
        return "GNU Screen passes the text on; the terminal around it must allow programs to set the clipboard"
    terminal.paint(sequence)
    return ""


def clipboard_sequence(text: str) -> str:
    """The control sequence (OSC 52) that asks the terminal to put ``text`` on its clipboard.

    The terminal does not confirm it; some terminals ignore it or limit its length.
    """
    return f"\x1b]52;c;{base64.b64encode(text.encode('utf-8', 'replace')).decode('ascii')}\x07"


def _through_screen(sequence: str) -> str:
    """``sequence`` as GNU Screen passes it on: in short strings (DCS)."""
    pieces = (sequence[start : start + _IN_SCREEN] for start in range(0, len(sequence), _IN_SCREEN))
    return "".join(f"\x1bP{piece}\x1b\\" for piece in pieces)
