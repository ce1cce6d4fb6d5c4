"""Variables of the environment that look like settings of ``phi`` and are none: most likely they are misspelled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

import typer

from phicli.commands import SHARED_SETTINGS, WITH_SETTINGS
from phicli.settings.key import variable_of

_START: Final = "PHI_"
_NOT_SETTINGS: Final = ("PHI_HOME", "PHI_DEBUG", "PHI_PROFILE", "PHI_API_KEY", "PHI_SERVE_KEY", "PHI_ENDPOINT_TIMEOUT")
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
    for name in sorted(name for name in environ if name.startswith(_START) and name not in usual):
        own = (command for command in WITH_SETTINGS if name.startswith(f"{variable_of(command)}_"))
        if any(name in _variables_of(root, command) for command in own):
            continue
        known = [*usual, *(variable for command in WITH_SETTINGS for variable in _variables_of(root, command))]
        ends = [variable.removeprefix(_START) for variable in known]
        for close in _like(name.removeprefix(_START), ends)[:1]:
            yield name, f"{_START}{close}"


def say_misspelled(environ: Mapping[str, str], root: Any) -> None:
    """Name such variables on standard error; the arguments are those of :func:`misspelled`."""
    for name, close in misspelled(environ, root):
        from phicli.ui.terminal import Terminal

        Terminal.current().alarm("note:", f"{name} is not a variable that phi reads; did you mean {close}?")


def _like(word: str, known: Sequence[str]) -> list[str]:
    """Those of ``known`` that ``word`` is a part of (``TEMPERATURE``, ``CHAT_TEMP``), else those that are like it."""
    parts = [one for one in known if one.startswith(word) or one.endswith(f"_{word}")] if len(word) >= _SHORTEST else []
    return parts or get_close_matches(word, known, n=1, cutoff=_ALIKE)


def _variables_of(root: Any, setting: str) -> list[str]:
    """The variables of the command whose settings begin with ``setting``."""
    command = root
    for word in setting.split("."):
        command = command.get_command(None, word)
    return [variable_of(key.name) for key in command.keys(typer.Context(command)).values()]
