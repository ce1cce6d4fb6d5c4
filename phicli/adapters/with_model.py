"""A model as it is typed with adapters: ``MODEL+ADAPTER[:SCALE]``, with several ``MODEL+A+B``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from phicli.adapters.registry import find
from phicli.adapters.typed import split_scale
from phicli.catalog.names import PLUS
from phicli.errors import UsageError
from phicli.paths import is_there

_BEGINS_PATH: Final = (".", "/", "~", "\\")


def split_adapters(typed: str, is_model: Callable[[str], bool]) -> tuple[str, tuple[str, ...]]:
    """The model in ``typed``, and the adapters behind it, each as ``--adapter`` takes it.

    A model, an adapter or a file that really is called ``a+b`` comes before an adapter ``b`` of ``a``. Where nothing in
    ``typed`` is a model, the first part is meant as one; a path stays whole.

    Args:
        typed: as it was typed.
        is_model: whether there is a model of that name.
    """
    parts = typed.split(PLUS)
    if len(parts) == 1:
        return typed, ()
    count = _known(parts, is_model) or (len(parts) if typed.startswith(_BEGINS_PATH) else 1)
    return PLUS.join(parts[:count]), tuple(_adapters(parts[count:]))


def _adapters(parts: Sequence[str]) -> Iterator[str]:
    while parts:
        count = _known(parts, _is_adapter) or 1
        yield PLUS.join(parts[:count])
        parts = parts[count:]


def _known(parts: Sequence[str], is_known: Callable[[str], bool]) -> int:
    """How many of ``parts`` are the longest name that ``is_known``; 0 where none is."""
    return next((count for count in range(len(parts), 0, -1) if is_known(PLUS.join(parts[:count]))), 0)


def _is_adapter(word: str) -> bool:
    try:
        name, _ = split_scale(word)
    except UsageError:
        return False
    return find(name) is not None or is_there(name)
