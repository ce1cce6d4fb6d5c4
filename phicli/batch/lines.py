"""The lines of a file, and the rows that they are: JSON objects, or one prompt each."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from phicli.batch.types import Row
from phicli.structured.reading import without_doubles

MOST_LINE_BYTES: Final = 64 << 20
BOM: Final = b"\xef\xbb\xbf"
_HALF: Final = r"\ud"
"""How JSON writes the halves of a surrogate pair."""


def lines_of(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Every line with its number from 1, without its end; None for a line that is too long to be read."""
    number = 0
    while line := file.readline(MOST_LINE_BYTES + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(BOM)
        if len(line) > MOST_LINE_BYTES and not line.endswith(b"\n"):
            skip(file)
            yield number, None
        else:
            yield number, line.rstrip(b"\r\n")


def json_rows(file: BinaryIO) -> Iterator[Row]:
    """A row for each line that is not empty: the keys of its JSON object."""
    number = 0
    for line, data in lines_of(file):
        if data is None or data.strip():
            yield _json_row(number, line, data)
            number += 1


def prompt_rows(file: BinaryIO) -> Iterator[Row]:
    """A row for each line that is not empty: the line is the prompt."""
    number = 0
    for line, data in lines_of(file):
        if data is not None and not data.strip():
            continue
        problem = ""
        if data is None:
            problem = too_long()
        else:
            try:
                text = data.decode()
            except UnicodeDecodeError:
                problem = "it is not UTF-8 text"
        yield Row(number, line, {} if problem else {"prompt": text}, problem)
        number += 1


def too_long() -> str:
    """What is wrong with a line that is longer than any that is read."""
    return f"it has more than {MOST_LINE_BYTES >> 20} MiB"


def skip(file: BinaryIO) -> None:
    """Read on to the end of a line."""
    while (piece := file.readline(MOST_LINE_BYTES)) and not piece.endswith(b"\n"):
        pass


def _json_row(number: int, line: int, data: bytes | None) -> Row:
    if data is None:
        return Row(number, line, {}, too_long())
    try:
        return Row(number, line, _object(data))
    except UnicodeDecodeError:
        problem = "it is not UTF-8 text"
    except json.JSONDecodeError as error:
        problem = f"it is not JSON: {error.msg[:1].lower()}{error.msg[1:]} at column {error.colno}"
    except ValueError as error:
        problem = str(error)
    except RecursionError:
        problem = "it is nested too deeply"
    return Row(number, line, {}, problem)


def _object(data: bytes) -> dict[str, Any]:
    """The JSON object in a line.

    Raises:
        ValueError: there is none; says why.
    """
    text = data.decode()
    value = json.loads(
        text, object_pairs_hook=without_doubles, parse_constant=_refuse, parse_float=_real, parse_int=_whole
    )
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    if _HALF in text.lower() and _has_half(value):
        raise ValueError("it has half of a character")
    return value


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is not a JSON value")


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"a number has {len(text):,} digits") from None


def _real(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is too large")
    return number


def _has_half(value: Any) -> bool:
    """Whether a text in ``value`` has half of a surrogate pair, which cannot be written as UTF-8."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False
