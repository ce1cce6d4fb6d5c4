"""The command line: one file a command, a signature that calls the layers below and hands the result to ``ui``.

A command is the function of its own name in the module of its own name. The table below is all that ``phi --help``
needs; a module is imported, and its options are built, when its command runs.
"""

from __future__ import annotations

from typing import Final

SUMMARIES: Final = {
    "chat": "Ask a model once, or talk to it when there is no prompt and this is a terminal.",
}
"""Command to the first line of its help, in the order in which they are listed."""

ALIASES: Final = {"run": "chat"}
"""What people type too; not listed."""
