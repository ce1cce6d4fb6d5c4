"""Text for the clipboard of the terminal, also over SSH."""

from __future__ import annotations

import base64


def clipboard_sequence(text: str) -> str:
    """The control sequence (OSC 52) that asks the terminal to put ``text`` on its clipboard.

    The terminal does not confirm it; some terminals ignore it or limit its length.
    """
    return f"\x1b]52;c;{base64.b64encode(text.encode('utf-8', 'replace')).decode('ascii')}\x07"
