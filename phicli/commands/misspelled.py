"""Variables of the environment that look like settings of ``phi`` and are none: most likely they are misspelled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

import typer

from phicli.commands import GROUPS, SHARED_SETTINGS, SUMMARIES, WITHOUT_SETTINGS
from phicli.settings.key import variable_of

_START: Final = "PHI_"
_NOT_SETTINGS: Final = ("PHI_HOME", "PHI_DEBUG", "PHI_PROFILE", "PHI_API_KEY", "PHI_ENDPOINT_TIMEOUT")
_ALIKE: Final = 0.7
_SHORTEST: Final = 4


def misspelled(environ: Mapping[str, str], root: Any) -> Iterator[tuple[str, str]]:
    """Each variable that ``phi`` does not read and that is like one that it does, and the latter.

    Commands are built only where the name of a variable calls for it.

    Args:
        environ: the environment.
        root: the command ``phi``.
    """
    usual = {*_NOT_SETTINGS, *map(variable_of, SHARED_SETTINGS)}
    odd = [name for name in sorted(environ) if name.startswith(_START) and environ[name] and name not in usual]
    for name in odd:
        if any(name in _variables_of(root, *path) for path in _commands() if name.startswith(_beginning(*path))):
            continue
        known = [*usual, *(variable for path in _commands() for variable in _variables_of(root, *path))]
        ends = [variable.removeprefix(_START) for variable in known]
        for close in _like(name.removeprefix(_START), ends)[:1]:
            yield name, f"{_START}{close}"


def say_misspelled(environ: Mapping[str, str], root: Any) -> None:
    """Name such variables on standard error; the arguments are those of :func:`misspelled`."""
    if not any(name.startswith(_START) and name not in _NOT_SETTINGS for name in environ):
        return
    from phicli.ui.terminal import Terminal

    for name, close in misspelled(environ, root):
        Terminal.current().alarm("note:", f"{name} is not a variable that phi reads; did you mean {close}?")


def _like(word: str, known: Sequence[str]) -> list[str]:
    """Those of ``known`` that ``word`` is a part of (``TEMPERATURE``, ``CHAT_TEMP``), else those that are like it."""
    parts = [one for one in known if one.startswith(word) or one.endswith(f"_{word}")] if len(word) >= _SHORTEST else []
    return parts or get_close_matches(word, known, n=1, cutoff=_ALIKE)


def _commands() -> Iterator[tuple[str, ...]]:
    """The words of every command that takes settings: ``("cache", "verify")``."""
    for name in SUMMARIES:
        if name not in WITHOUT_SETTINGS:
            yield from ((name, inner) for inner in GROUPS[name]) if name in GROUPS else ((name,),)


def _beginning(*path: str) -> str:
    return variable_of(".".join(path)) + "_"


def _variables_of(root: Any, *path: str) -> list[str]:
    command = root
    for word in path:
        command = command.get_command(None, word)
    return [variable_of(key.name) for key in command.keys(typer.Context(command)).values()]
