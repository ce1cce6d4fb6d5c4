"""An adapter as it is typed: ``NAME``, or a GGUF file, and a scale behind a colon."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from phicli.adapters.peft import folder_of
from phicli.adapters.registry import HOW_TO_ADD, find, require, unknown
from phicli.engine.types import NO_ADAPTERS, Adapter
from phicli.errors import NotAnAdapterError, UsageError
from phicli.gguf_file.adapter import read_adapter
from phicli.paths import expand, is_there

MOST_SCALE: Final = 100.0
"""A larger factor, either way, can only be a mistake: 1 is what an adapter was trained with."""


def adapters_typed(typed: Sequence[str], beside: Sequence[Adapter] = ()) -> tuple[Adapter, ...]:
    """The adapters in a list of ``NAME[:SCALE]``, each file once; ``none`` alone stands for no adapter at all.

    Args:
        typed: the list.
        beside: adapters that are used as well; they come first.

    Raises:
        PhiError: as for :func:`adapter_typed`; or the same adapter comes twice.
    """
    found = {os.path.realpath(one.path): one for one in beside}
    if [*typed] == [NO_ADAPTERS] and find(NO_ADAPTERS) is None:
        return ()
    for word in typed:
        adapter = adapter_typed(word)
        real = os.path.realpath(adapter.path)
        if real in found:
            raise UsageError(f"the adapter {word} is given twice", "give each adapter once, with one scale: NAME:SCALE")
        found[real] = adapter
    return tuple(found.values())


def adapter_typed(typed: str) -> Adapter:
    """The adapter that ``typed`` means: a name of ``phi adapters add``, or the path of a GGUF file; with ``:SCALE``.

    Raises:
        UsageError: the scale makes no sense, or the engine cannot open a file of this name.
        NotFoundError: there is no such adapter.
        NotAnAdapterError: it is a folder that has to be added first, or a file of another kind.
        IntegrityError: the file is damaged.
    """
    name, scale = split_scale(typed)
    if find(name) is not None:
        return Adapter(require(name).path, scale)
    path = expand(name)
    if is_there(name) and folder_of(path) is not None:
        raise NotAnAdapterError(f"{name} is an adapter as PEFT saves it", f"add it first: phi adapters add {name}")
    if "/" in name and path.is_dir():
        raise NotAnAdapterError(f"{name} is a folder", f"add the adapter in it first: phi adapters add {name}")
    if name.lower().endswith(".gguf") or (("/" in name or "\\" in name) and is_there(name)):
        return Adapter(_for_engine(read_adapter(path).path.absolute()), scale)
    raise unknown(name)


def _for_engine(path: Path) -> Path:
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError("the path of the adapter is not UTF-8, which the engine needs", "rename the file") from None
    return path


def split_scale(typed: str) -> tuple[str, float]:
    """Name and scale of ``NAME[:SCALE]``; a path that has a colon in it stays whole.

    Raises:
        UsageError: nothing was typed, or the scale makes no sense.
    """
    name, colon, behind = typed.rpartition(":")
    if not colon or is_there(typed):
        name, behind = typed, "1"
    if not name.strip():
        raise UsageError(
            f"the name of the adapter is empty: {typed!r}",
            f"see your adapters: phi adapters list; add one: {HOW_TO_ADD}",
        )
    try:
        scale = float(behind)
    except ValueError:
        scale = math.nan
    if not abs(scale) <= MOST_SCALE:
        raise UsageError(
            f"the scale {behind[:40]!r} of the adapter {name} is not a number from -{MOST_SCALE:g} to {MOST_SCALE:g}",
            f"for example: {name}:0.5",
        )
    return name, scale
