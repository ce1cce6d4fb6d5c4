"""Finds templates: by a path, in the folder of the settings, among those that come with the package."""

from __future__ import annotations

import contextlib
import re
from importlib.resources import files
from pathlib import Path
from typing import Final

from phicli.errors import NotFoundError, UsageError, reason_of
from phicli.paths import config_dir, expand, read_small
from phicli.settings.file import SettingsFile, decode, did_you_mean, parse
from phicli.templates.types import Origin, TemplateFile

SUFFIX: Final = ".toml"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_SEE: Final = "see all templates: phi templates list"


def own_folder() -> Path:
    """The folder of a person's templates. It need not exist."""
    return config_dir() / "templates"


def own_path(name: str) -> Path:
    """Where the template called ``name`` is, or would be, in :func:`own_folder`."""
    return own_folder() / f"{name}{SUFFIX}"


def built_in_path(name: str) -> Path:
    """Where the template called ``name`` is in the package, if it is one of them."""
    return _built_in_folder() / f"{name}{SUFFIX}"


def built_in_names() -> tuple[str, ...]:
    """The templates that come with the package."""
    return _names_in(_built_in_folder())


def own_names() -> tuple[str, ...]:
    """The templates in :func:`own_folder`; none where it cannot be read.

    A file whose name cannot be typed is not among them.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return _names_in(own_folder())
    return ()


def all_names() -> tuple[str, ...]:
    """All templates by name."""
    return tuple(sorted({*built_in_names(), *own_names()}))


def is_path(typed: str) -> bool:
    """Whether ``typed`` is the path of a template rather than its name."""
    return typed.lower().endswith(SUFFIX) or "/" in typed or "\\" in typed or typed.startswith((".", "~"))


def check_name(typed: str) -> str:
    """``typed``, where a template can be called so.

    Raises:
        UsageError: it cannot.
    """
    if _NAME.fullmatch(typed) is None:
        raise UsageError(
            f"{typed!r} cannot be the name of a template", "use up to 64 letters, digits, - and _, e.g. my-summary"
        )
    return typed


def find_template(typed: str) -> TemplateFile:
    """The template that ``typed`` means: a path, else a person's own template, else one of the package.

    Raises:
        NotFoundError: there is none; the hint has a close name.
        UsageError: it cannot be read, or is not TOML.
    """
    if is_path(typed):
        return read_file(typed, expand(typed), "file")
    if _NAME.fullmatch(typed) is not None:
        places: tuple[tuple[Path, Origin], ...] = ((own_path(typed), "yours"), (built_in_path(typed), "built-in"))
        for path, origin in places:
            with contextlib.suppress(NotFoundError):
                return read_file(typed, path, origin)
    meant = did_you_mean(typed, all_names())
    raise NotFoundError(f"template {typed!r} not found", f"{meant} {_SEE[0].upper() + _SEE[1:]}" if meant else _SEE)


def read_file(name: str, path: Path, origin: Origin) -> TemplateFile:
    """The template at ``path``.

    Raises:
        NotFoundError: there is no such file.
        UsageError: it cannot be read, or is not TOML.
    """
    try:
        data = read_small(path)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"template file {path} not found", _SEE) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"template {path} cannot be read: {reason_of(error)}", "name a text file") from None
    try:
        return TemplateFile(name, origin, parse(path, decode(path, data)))
    except UsageError as error:
        error.hint = TemplateFile(name, origin, SettingsFile(path)).remedy
        raise


def _built_in_folder() -> Path:
    return Path(str(files("phicli").joinpath("data", "templates")))


def _names_in(folder: Path) -> tuple[str, ...]:
    names = (path.stem for path in folder.iterdir() if path.suffix == SUFFIX)
    return tuple(sorted(name for name in names if _NAME.fullmatch(name)))
