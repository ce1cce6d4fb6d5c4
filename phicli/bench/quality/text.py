"""The text for comparing quantizations."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

TEXT: Final = "Persuasion, chapter 11"
"""A passage of Jane Austen's novel of 1818, in the public domain; ``phicli/data/quality/README.md`` says which."""


def passage() -> str:
    """The text, plain ASCII: every token of it is whole characters, of which the engine reports the probabilities."""
    return (files("phicli") / "data" / "quality" / "persuasion.txt").read_text(encoding="ascii")
