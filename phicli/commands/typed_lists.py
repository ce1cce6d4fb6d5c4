"""Reads options that take several values, such as ``1,2,4``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from phicli.engine.types import MOST_THREADS
from phicli.errors import UsageError
from phicli.fit.memory import KV_TYPE_BYTES
from phicli.records.run import FLASH_ATTENTION

_MOST: Final = 1 << 20
_T = TypeVar("_T")


def numbers(text: str | None, option: str, *, least: int = 0, most: int = _MOST) -> tuple[int, ...]:
    """A list such as ``1,2,4``, each once, in the order given; empty for None.

    Raises:
        UsageError: something in it is not a whole number between ``least`` and ``most``.
    """

    def read(word: str) -> int:
        digits = word.removeprefix("-")
        value = int(word) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None
        if value is None or not least <= value <= most:
            raise UsageError(
                f"{option} {word} is not a whole number between {least} and {most}",
                f"for example: {option} {least or 1}",
            )
        return value

    return _list(text, option, read)


def words(text: str | None, option: str, known: Sequence[str]) -> tuple[str, ...]:
    """The same for words out of ``known``, in any case.

    Raises:
        UsageError: a word is not among them.
    """

    def read(word: str) -> str:
        if word.lower() not in known:
            raise UsageError(f"{option} {word} is unknown", f"there is {', '.join(known)}")
        return word.lower()

    return _list(text, option, read)


def _list(text: str | None, option: str, read: Callable[[str], _T]) -> tuple[_T, ...]:
    if text is None:
        return ()
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise UsageError(f"{option} {text!r} has an empty place", f"separate values with one comma: {option} 1,2")
    return tuple(dict.fromkeys(read(part) for part in parts))


def engine_grid(typed: Mapping[str, str]) -> Mapping[str, tuple[Any, ...]]:
    """The values of each engine setting that was typed, by field.

    Raises:
        UsageError: a value makes no sense.
    """
    return {name: _READERS[name](text) for name, text in typed.items()}


def engine_values(typed: Mapping[str, Any]) -> Mapping[str, Any]:
    """The one value of each engine setting that was typed, by field.

    Raises:
        UsageError: a value makes no sense.
    """
    return {name: _READERS[name](str(value))[0] for name, value in typed.items()}


def _switches(text: str) -> tuple[bool, ...]:
    return tuple(word == "on" for word in words(text, "--repack", ("on", "off")))


_READERS: Final[Mapping[str, Callable[[str], tuple[Any, ...]]]] = {
    "threads": lambda text: numbers(text, "--threads", least=1, most=MOST_THREADS),
    "batch_tokens": lambda text: numbers(text, "--batch-size", least=1, most=16384),
    "kv_type": lambda text: words(text, "--kv-type", tuple(KV_TYPE_BYTES)),
    "flash_attention": lambda text: words(text, "--flash-attention", FLASH_ATTENTION),
    "repack": _switches,
    "gpu_layers": lambda text: numbers(text, "--gpu-layers"),
}
