"""The packages of the engines, and the installed version of each, without importing them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ENGINE_PACKAGE: Final = "xllamacpp"
"""The package of the default engine."""


def engine_version() -> str:
    """The installed version of xllamacpp; empty without the package. Read from a file name where that is possible."""
    name = engine_folder()
    if name is None:
        return version_of(ENGINE_PACKAGE)
    return name.removeprefix(f"{ENGINE_PACKAGE}-").removesuffix(".dist-info")


def engine_folder() -> str | None:
    """The folder in which the default engine's package says its version, by name: ``xllamacpp-1.2.3.dist-info``.

    None where there is not exactly one; an installed wheel has one.
    """
    from importlib.util import find_spec

    found = find_spec(ENGINE_PACKAGE)
    if found is None or found.origin is None:
        return None
    try:
        names = [path.name for path in Path(found.origin).parents[1].glob(f"{ENGINE_PACKAGE}-*.dist-info")]
    except OSError:
        return None
    return names[0] if len(names) == 1 else None


def version_of(package: str) -> str:
    """The installed version of ``package``; empty where it is not installed."""
    import importlib.metadata

    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
