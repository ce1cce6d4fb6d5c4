"""Removes remotes: all that were named, or none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from phicli.errors import NotFoundError, UsageError
from phicli.paths import remotes_file
from phicli.remotes.known import names as known_names
from phicli.remotes.known import not_found, remove


@dataclass(frozen=True, slots=True)
class Removed:
    """The remotes that were removed from ``path``, and what there is to know."""

    names: tuple[str, ...]
    path: Path
    notes: tuple[str, ...]


def remove_remotes(typed: Sequence[str]) -> Removed:
    """Remove the remotes that were ``typed``.

    Raises:
        NotFoundError: one does not exist; nothing is removed then.
        PhiError, OSError: the file cannot be changed.
    """
    known = known_names()
    wanted = tuple(dict.fromkeys(name if name in known else name.lower() for name in typed))
    if (missing := next((name for name in wanted if name not in known), None)) is not None:
        others = tuple(name for name in known if name not in wanted)
        error = not_found(missing, others)
        if not others:
            error.hint = f"the remotes are {', '.join(known)}" if known else error.hint
        if len(wanted) > 1:
            error.message = f"{error.message}; nothing was removed"
        raise error
    for name in wanted:
        try:
            remove(name)
        except NotFoundError:  # another process was faster
            continue
    return Removed(wanted, remotes_file(), tuple(_notes(wanted)))


def _notes(names: Sequence[str]) -> Iterator[str]:
    """The default model that is gone now."""
    from phicli.settings.file import read_settings

    try:
        model = read_settings().value(("model",))
    except UsageError:  # other commands say it
        return
    if isinstance(model, str) and model.partition("/")[0].lower() in names:
        yield f"the setting model is {model}; to choose another one: phi config set model phi-4-mini"
