"""Prints a note, once, if native kernels were built but cannot be used."""

from __future__ import annotations

from typing import Final

from phicli.engine.used_kernels import first_time, installed_kernels

RUN_THE_ENGINE: Final = ("chat", "bench", "eval", "autotune")
"""Commands whose speed depends on the kernels."""


def say_kernels(command: str | None) -> None:
    """Print the note if ``command`` runs the engine. Call it before and after the command, as loading may fail."""
    if command not in RUN_THE_ENGINE:
        return
    notice = installed_kernels().notice
    if notice and first_time(notice):
        from phicli.ui.terminal import Terminal

        Terminal.current().alarm("note:", notice)
