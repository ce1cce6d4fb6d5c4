"""The JSON values of a file of any size, one after the other: of lines, of one list, or written over several lines."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from phicli.errors import UsageError
from phicli.training_data.lines import LONGEST_LINE_BYTES, OnBytes, ignore_bytes

_PART_BYTES: Final = 1 << 18
_SPACE: Final = " \t\r\n\ufeff"
_NEAR_END: Final = 32
"""A value that is cut fails within so many characters of the end, unless a text is cut."""
_GO_ON: Final = "the file must hold JSON Lines, a JSON list, or objects one after the other"


class Reader:
    """Text of a file, read in parts; ``line`` is the number of the line that it is at.

    Args:
        file: what is read.
        name: for messages.
        encoding: of the text.
        on_bytes: is given how many bytes were read.
    """

    def __init__(self, file: BinaryIO, name: str, encoding: str = "utf-8", on_bytes: OnBytes = ignore_bytes) -> None:
        self.name, self.line = name, 1
        self._file, self._encoding, self._on_bytes = file, encoding, on_bytes
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._buffer, self._at, self._done, self._ended = "", 0, 0, False
        self._decode = json.JSONDecoder(parse_constant=_refuse).raw_decode

    def peek(self) -> str:
        """The next character that is not white space; empty at the end."""
        while True:
            while self._at < len(self._buffer):
                character = self._buffer[self._at]
                if character not in _SPACE:
                    return character
                self.line += character == "\n"
                self._at += 1
            if not self._more():
                return ""

    def skip(self) -> None:
        """Go on behind the character that :meth:`peek` returned."""
        self._at += 1

    def value(self) -> tuple[int, Any]:
        """The next value, and the number of the line in which it begins.

        Raises:
            UsageError: it is not JSON, or it is too long.
        """
        self.peek()
        line = self.line
        while True:
            try:
                value, end = self._decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                if not self._cut(error) or not self._more():
                    raise self._wrong(error.msg, error.pos) from None
                continue
            except (ValueError, RecursionError) as error:
                raise self._wrong(str(error), self._at) from None
            if end == len(self._buffer) and self._more():  # a number may go on
                continue
            self.line += self._buffer.count("\n", self._at, end)
            self._at = end
            return line, value

    def _cut(self, error: json.JSONDecodeError) -> bool:
        """Whether the value may only be cut by the end of what was read."""
        if len(self._buffer) - self._at > LONGEST_LINE_BYTES:
            return False
        return error.pos >= len(self._buffer) - _NEAR_END or error.msg.startswith("Unterminated string")

    def _wrong(self, said: str, pos: int) -> UsageError:
        line = self.line + self._buffer.count("\n", self._at, pos)
        column = pos - self._buffer.rfind("\n", 0, pos)
        if len(self._buffer) - self._at > LONGEST_LINE_BYTES:
            return UsageError(f"{self.name}:{line}: an example is too long, or its JSON is not closed", _GO_ON)
        why = f"{said[:1].lower()}{said[1:]}"
        return UsageError(f"{self.name}:{line}, column {column}: not JSON: {why}", _GO_ON)

    def _more(self) -> bool:
        """Read on; as much as there is already, so that a long value is not looked at too often."""
        if self._ended:
            return False
        kept = self._buffer[self._at :]
        data = self._file.read(max(_PART_BYTES, len(kept)))
        self._ended = not data
        self._done += len(data)
        self._on_bytes(self._done)
        try:
            text = self._decoder.decode(data, final=self._ended)
        except UnicodeDecodeError as error:
            line = self.line + kept.count("\n") + data[: error.start].count(b"\n")
            raise UsageError(
                f"{self.name}:{line}: not {self._encoding.upper()}: byte 0x{data[min(error.start, len(data) - 1)]:02x}",
                "name its encoding, e.g. --input-encoding latin-1",
            ) from None
        if text:
            self._buffer, self._at = kept + text, 0
        return bool(text) or not self._ended


def values_of(reader: Reader) -> Iterator[tuple[int, Any]]:
    """The values of a file, each with the number of its line; those of a list that is all of the file one by one.

    Raises:
        UsageError: the file is not JSON from some line on.
    """
    if reader.peek() != "[":
        while reader.peek():
            yield reader.value()
            if reader.peek() == ",":  # as between the elements of a list
                reader.skip()
        return
    reader.skip()
    while (following := reader.peek()) != "]":
        if not following:
            raise UsageError(f"{reader.name}:{reader.line}: the list is not closed", _GO_ON)
        yield reader.value()
        if reader.peek() == ",":
            reader.skip()
        elif reader.peek() not in ("]", ""):
            raise UsageError(f"{reader.name}:{reader.line}: a comma is missing between two examples", _GO_ON)


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is not a JSON value")
