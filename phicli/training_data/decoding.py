"""A line of a file as a JSON value; what is wrong with another one, by column."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NoReturn

BOM: Final = b"\xef\xbb\xbf"
_STARTS: Final = {
    b"\xff\xfe\0\0": "UTF-32 text",
    b"\0\0\xfe\xff": "UTF-32 text",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"\x1f\x8b": "compressed by gzip",
    b"PAR1": "a Parquet file",
    b"PK\x03\x04": "a ZIP archive, as spreadsheets are",
    b"BZh": "compressed by bzip2",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"GGUF": "a model",
}
_HOW_TO_READ: Final = {
    b"\x1f\x8b": "unpack it first: gunzip --keep {name}",
    b"PAR1": "write it as JSON Lines first, e.g. with pandas: read_parquet(FILE).to_json(NEW, orient='records', "
    "lines=True)",
    b"PK\x03\x04": "save it as CSV in the program that made it, or unpack it",
    b"BZh": "unpack it first: bunzip2 --keep {name}",
    b"\x28\xb5\x2f\xfd": "unpack it first: unzstd {name}",
}
_CONVERT: Final = "convert it: phi data convert {name} --input-encoding {encoding} -o NEW.jsonl"
_WIDE: Final = {
    b"\xff\xfe\0\0": "utf-32", b"\0\0\xfe\xff": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16",
}  # fmt: skip
"""What text in wider characters begins with, and its encoding."""
_ZEROS: Final[Mapping[tuple[bool, ...], str]] = {
    (False, True, True, True): "utf-32-le", (True, True, True, False): "utf-32-be",
    (False, True, False, True): "utf-16-le", (True, False, True, False): "utf-16-be",
}  # fmt: skip
"""Which of the first four bytes are zero where there is no mark: the rest of them is ASCII."""
_WORDS: Final = re.compile(r"(None|True|False|NaN|undefined|-?Infinity)\b")
_SAID: Final = {
    "trailing comma": "a comma stands in front of a closing bracket",
    "Unterminated string": r"a text is not closed on this line: write a line break in it as \n",
    "control character": r"a control character inside a text: write a line break as \n, a tab as \t",
}
"""What Python's parser says, in other words."""
_FEW_ZEROS: Final = 2
DEEPEST: Final = 100
"""Levels of lists and objects in one another: no example needs so many, and Python's own limit is not a fixed one."""
TOO_DEEP: Final = f"nested too deeply: more than {DEEPEST} levels of lists and objects"


class LineError(ValueError):
    """A line is not a JSON value; ``column`` is that of the character, from 1 on, 0 where there is none."""

    def __init__(self, kind: str, message: str, column: int = 0) -> None:
        super().__init__(message)
        self.kind, self.message, self.column = kind, message, column


def refuse_constant(word: str) -> NoReturn:
    """Refuse what Python takes for JSON and nothing else does; the ``parse_constant`` of a decoder."""
    raise ValueError(f"{word} is not a JSON value")


def finite(digits: str) -> float:
    """A number of JSON as Python has it; the ``parse_float`` of a decoder.

    Raises:
        ValueError: it is too large, and would be written as ``Infinity``.
    """
    if math.isinf(number := float(digits)):
        raise ValueError(f"the number {digits[:20]} is too large")
    return number


_decode = json.JSONDecoder(parse_constant=refuse_constant, parse_float=finite).decode


def refused(error: Exception) -> str:
    """Why a decoder does not take a value that has no error of form."""
    if isinstance(error, RecursionError):
        return TOO_DEEP
    said = str(error)
    return "a number has thousands of digits" if said.startswith("Exceeds the limit") else said


def is_too_deep(value: Any, text: str, start: int = 0, end: int | None = None) -> bool:
    """Whether a value, which stands in that part of ``text``, has more than :data:`DEEPEST` levels."""
    if text.count("[", start, end) + text.count("{", start, end) <= DEEPEST:
        return False
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in (dict, list)
        ]
        if not level:
            return False
    return True


def what_it_is(start: bytes, *, utf8: bool = True) -> str:
    """What a file that begins with ``start`` is instead of text; empty for text, also that of UTF-16 but ``utf8``."""
    known = next((what for mark, what in _STARTS.items() if start.startswith(mark)), "")
    if not known and start[:64].count(0) > _FEW_ZEROS:
        known = f"{_encoding(start)[:6].upper()} text without a mark" if _encoding(start) else "not text"
    return "" if _encoding(start) and not utf8 else known


def how_to_read(start: bytes, name: str) -> str:
    """What to do with a file that is something else than text; ``name`` is the file, as a shell takes it."""
    if encoding := _encoding(start):
        return _CONVERT.format(name=name, encoding=encoding)
    known = next((hint for mark, hint in _HOW_TO_READ.items() if start.startswith(mark)), "")
    return known.format(name=name) if known else "name a file of JSON Lines, or a table (CSV)"


def _encoding(start: bytes) -> str:
    marked = next((encoding for mark, encoding in _WIDE.items() if start.startswith(mark)), "")
    return marked or _ZEROS.get(tuple(byte == 0 for byte in start[:4]), "")


def text_of(data: bytes) -> str:
    """The text of a line.

    Raises:
        LineError: it is not UTF-8.
    """
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        column = len(data[: error.start].decode(errors="replace")) + 1
        raise LineError("encoding", not_utf8(data[error.start : error.start + 1]), column) from None


def not_utf8(byte: bytes) -> str:
    """What is wrong with text that has ``byte`` where UTF-8 does not have it."""
    as_latin = byte.decode("cp1252", "replace")
    looks = f", which Latin-1 has for {as_latin}" if as_latin.isalpha() else ""
    return f"not UTF-8: byte 0x{byte[0]:02x}{looks}"


NAME_IT: Final = "name its encoding, e.g. --input-encoding latin-1"


def not_in(encoding: str, error: UnicodeError) -> str:
    """What is wrong with text that is not in an ``encoding``, for which a decoder raised ``error``."""
    name = encoding.upper()
    if not isinstance(error, UnicodeDecodeError):  # such as that of UTF-16 without a mark
        return f"not {name}: {error}"
    return f"not {name}: byte 0x{error.object[min(error.start, len(error.object) - 1)]:02x}"


def twice(key: str) -> str:
    """What is wrong with an object that has a ``key`` twice."""
    return f"an object has the key {key!r} twice: only the last one would count"


def value_of(text: str) -> Any:
    """The JSON value of a line.

    Raises:
        LineError: it is not one.
    """
    try:
        value = _decode(text)
    except json.JSONDecodeError as error:
        raise LineError("json", _why(text, error), error.pos + 1) from None
    except (ValueError, RecursionError) as error:
        raise LineError("json", refused(error)) from None
    if len(text) > DEEPEST and is_too_deep(value, text):
        raise LineError("json", TOO_DEEP)
    return value


def repeated_key(data: bytes, example: Mapping[str, Any], *, plain: bool) -> str:
    """A key that an object of the line has twice, of which JSON would take the last one; empty where there is none.

    Args:
        data: the line.
        example: what was read of it.
        plain: it has ``messages`` of ``role`` and ``content`` only.
    """
    messages = example.get("messages")
    if plain and data.count(b'"') == 2 + 8 * len(example["messages"]):  # no text has a quote
        return ""
    if type(messages) is list and not _may_repeat(data, example, messages):
        return ""
    found: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in items]
        found.extend({key for key in keys if keys.count(key) > 1} if len(set(keys)) < len(keys) else ())
        return dict(items)

    json.loads(data, object_pairs_hook=pairs)
    return found[0] if found else ""


def _may_repeat(data: bytes, example: Mapping[str, Any], messages: list[Any]) -> bool:
    """Whether a name of a key is there more often than what was read has it: as a key twice, or as a text."""
    if data.count(b'"messages"') > 1:
        return True
    objects = [one for one in messages if type(one) is dict]
    if data.count(b'"role"') > sum(["role" in one for one in objects]):
        return True
    if data.count(b'"content"') > sum(["content" in one for one in objects]):
        return True
    return len(example) > 1 and any(data.count(_quoted(key)) > 1 for key in example)


@lru_cache(256)
def _quoted(key: str) -> bytes:
    return f'"{key}"'.encode("utf-8", "surrogatepass")


def _why(text: str, error: json.JSONDecodeError) -> str:
    """What is wrong, in words that say what to do."""
    at, rest = error.pos, text[error.pos :].lstrip()
    if text.startswith("\ufeff"):
        return "a byte order mark stands inside the file: two files were joined"
    if error.msg.startswith("Extra data"):
        return _extra(text, rest)
    if not rest:
        return "the line ends before its JSON does: one example must stand on one line"
    return _common(text[:at].rstrip(), rest, error.msg) or f"not JSON: {error.msg[:1].lower()}{error.msg[1:]}"


def _common(before: str, rest: str, said: str) -> str:
    """The frequent mistakes; empty for others."""
    if before.endswith(",") and rest[:1] in "]}":
        return f"a comma stands in front of {rest[0]}"
    if rest.startswith("'"):
        return "single quotes: JSON has double quotes"
    if word := _WORDS.match(rest):
        return f"{word[1]} is not a JSON value: JSON has null, true, false and finite numbers"
    return next((words for part, words in _SAID.items() if part in said), "")


def _extra(text: str, rest: str) -> str:
    if rest.strip() == ",":
        return "a comma stands behind the example: JSON Lines have none between lines"
    if "\r" in text.rstrip("\r\n"):
        return "the lines end with a lone carriage return: convert the file to line ends of Unix or Windows"
    if rest.startswith(("{", ",")):
        return "several examples stand on one line"
    return "more text stands behind the JSON"
