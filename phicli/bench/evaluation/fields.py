"""Fields of a line of a file of questions, read one by one; what is wrong with one is a ``ValueError`` in words."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

Fields = Mapping[str, Any]


def only(data: Fields, known: Collection[str]) -> None:
    """Refuse a field that nobody reads: most likely it is spelled wrong.

    Raises:
        ValueError: there is one.
    """
    unknown = [name for name in data if name not in known]
    if unknown:
        raise ValueError(f"unknown field {_quoted(unknown[0])}; the fields are {', '.join(known)}")


def required(data: Fields, name: str) -> Any:
    """The field ``name``, whatever it is.

    Raises:
        ValueError: it is missing.
    """
    if name not in data:
        raise ValueError(f"the field {_quoted(name)} is missing")
    return data[name]


def text(data: Fields, name: str) -> str:
    """The field ``name``, a text with something in it.

    Raises:
        ValueError: it is missing, is not a string, is empty, or has half a character in it.
    """
    return checked_text(required(data, name), _quoted(name))


def checked_text(value: Any, what: str) -> str:
    """``value``, which must be a text with something in it.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{what} must be a non-empty string")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what} contains half of a character (a lone surrogate)") from None
    return value


def whole(data: Fields, name: str, *, least: int = 0, most: int = 1 << 20) -> int:
    """The field ``name``, a whole number.

    Raises:
        ValueError: it is missing, or is not a whole number between ``least`` and ``most``.
    """
    value = required(data, name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"{_quoted(name)} must be a whole number from {least:,} to {most:,}")
    return value


def listed(data: Fields, name: str, *, least: int = 1, most: int = 1000) -> list[Any]:
    """The field ``name``, a list.

    Raises:
        ValueError: it is missing, or is not a list of ``least`` to ``most`` values.
    """
    value = required(data, name)
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise ValueError(f"{_quoted(name)} must be a list of {least} to {most} values")
    return value


def texts(data: Fields, name: str, *, least: int = 1, most: int = 1000) -> tuple[str, ...]:
    """The field ``name``, a list of texts, each with something in it.

    Raises:
        ValueError: it is not.
    """
    return tuple(checked_text(one, f"each of {_quoted(name)}") for one in listed(data, name, least=least, most=most))


def word(data: Fields, name: str, known: Collection[str]) -> str:
    """The field ``name``, one of the words ``known``.

    Raises:
        ValueError: it is missing, or another one.
    """
    value = required(data, name)
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{_quoted(name)} must be one of {', '.join(known)}")
    return value


def _quoted(name: str) -> str:
    return f'"{name[:60]}"'
