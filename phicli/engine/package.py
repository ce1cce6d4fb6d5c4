"""The package of the default engine and its installed version, without importing the package."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

ENGINE_PACKAGE: Final = "xllamacpp"


def engine_version() -> str:
    """The installed version of xllamacpp; empty without the package. Read from a file name where that is possible."""
    from importlib.util import find_spec

    spec = find_spec(ENGINE_PACKAGE)
    if spec is None or spec.origin is None:
        return ""
    with contextlib.suppress(OSError):
        names = [path.name for path in Path(spec.origin).parents[1].glob(f"{ENGINE_PACKAGE}-*.dist-info")]
        if len(names) == 1:
            return names[0].removeprefix(f"{ENGINE_PACKAGE}-").removesuffix(".dist-info")
    import importlib.metadata

    return importlib.metadata.version(ENGINE_PACKAGE)
