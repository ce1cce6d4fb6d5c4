"""What to type next when a path or a name that was given to ``phi cache import`` or ``export`` leads nowhere.

The layers below propose a command that runs a model, which these two are not.
"""

from __future__ import annotations

import contextlib
import errno
import shlex
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from phicli.errors import THIS_COMMAND, TYPED_COMMAND, NotAModelError, PhiError, UsageError
from phicli.units import listed

_LISTED: Final = 6
_ENDINGS: Final = (".gguf", ".tar")


@contextlib.contextmanager
def import_hints(path: Path) -> Iterator[None]:
    """Hints of errors that name the command to import.

    Raises:
        UsageError: no file can be called that.
    """
    _check_length(path)
    try:
        yield
    except PhiError as error:
        if isinstance(error, NotAModelError):
            error.hint = error.hint.replace(THIS_COMMAND, "phi cache import")
        elif _names_a_command(error) or not _exists(path):
            error.hint = _import_hint(path)
        raise


@contextlib.contextmanager
def export_hints() -> Iterator[None]:
    """Hints of errors that name the command to export."""
    try:
        yield
    except PhiError as error:
        if _names_a_command(error):
            error.hint = "see the models on this machine: phi cache list; then: phi cache export MODEL FILE.tar"
        raise


def _names_a_command(error: PhiError) -> bool:
    return THIS_COMMAND in error.hint or TYPED_COMMAND in error.hint


def _check_length(path: Path) -> None:
    try:
        path.lstat()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise UsageError(f"the name {path.name[:40]}… is too long", "check the name for a typing error") from None
    except ValueError:  # whoever opens it says why
        return


def _import_hint(path: Path) -> str:
    if _exists(path) and not path.is_file():
        files = _files_in(path)
        return _one_of(path, files) if files else "name a GGUF file or an archive: phi cache import FILE"
    if _exists(path):
        return f"copy or download the file again, then: phi cache import {shlex.quote(str(path))}"
    names = _files_in(path.parent)
    close = get_close_matches(path.name.lower(), [name.lower() for name in names], n=3, cutoff=0.6)
    files = [name for name in names if name.lower() in close] or names
    return _one_of(path.parent, files) if files else "check the name: phi cache import FILE"


def _one_of(folder: Path, names: list[str]) -> str:
    example = f"phi cache import {shlex.quote(str(folder / names[0]))}"
    return f"{folder} contains {listed(names, _LISTED)}; for example: {example}"


def _files_in(folder: Path) -> list[str]:
    """The GGUF files and archives there: no folders and no pipes of such a name."""
    try:
        return sorted(path.name for path in folder.iterdir() if path.suffix.lower() in _ENDINGS and path.is_file())
    except (OSError, ValueError):
        return []


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
