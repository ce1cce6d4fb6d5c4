"""Metadata by key, with the type that the format promises for it."""

from __future__ import annotations

from collections.abc import Mapping

from phicli.gguf_file.types import MetaValue
from phicli.gguf_file.walker import damaged


class Facts:
    """Typed look-ups in the metadata of a header.

    Every method returns None (or an empty tuple) for a key that is absent.

    Raises:
        IntegrityError: the value is of another type than the format promises.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, MetaValue]) -> None:
        self._values = values

    def text(self, key: str) -> str | None:
        """The text under ``key``."""
        value = self._values.get(key)
        if value is None or isinstance(value, str):
            return value
        raise _wrong(key, value, "a string")

    def whole(self, key: str) -> int | None:
        """The whole number, zero or above, under ``key``."""
        value = self._values.get(key)
        return None if value is None else _whole(key, value)

    def flag(self, key: str) -> bool | None:
        """The yes or no under ``key``."""
        value = self._values.get(key)
        if value is None or isinstance(value, bool):
            return value
        raise _wrong(key, value, "true or false")

    def wholes(self, key: str) -> tuple[int, ...]:
        """The whole numbers under ``key``: one for all layers, or an array with one a layer."""
        value = self._values.get(key)
        if value is None:
            return ()
        return tuple(_whole(key, item) for item in (value if isinstance(value, tuple) else (value,)))


def _whole(key: str, value: MetaValue) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise _wrong(key, value, "a whole number")


def _wrong(key: str, value: MetaValue, expected: str) -> Exception:
    return damaged(f"{str(value)[:40]!r} for {key}, which should be {expected}")
