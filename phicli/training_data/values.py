"""The JSON values of a file of any size, one after the other: of lines, of one list, or written over several lines."""

from __future__ import annotations

import codecs
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from phicli.errors import CheckFailedError
from phicli.training_data.decoding import (
    NAME_IT,
    TOO_DEEP,
    LineError,
    finite,
    is_too_deep,
    not_in,
    not_utf8,
    refuse_constant,
    refused,
    twice,
    value_of,
)
from phicli.training_data.lines import LONGEST_LINE_BYTES, OnBytes, ignore_bytes

_PART_BYTES: Final = 1 << 18
_SPACE: Final = " \t\r\n\ufeff"
_NEAR_END: Final = 32
"""A value that is cut fails within so many characters of the end, unless a text is cut."""
_BEHIND: Final = re.compile("[ \t\ufeff,]*")
_NEAR_BEHIND: Final = 1024
_GO_ON: Final = "the file must hold JSON Lines, a JSON list, or objects one after the other"
_UNDECODED: Final = re.compile("[\udc80-\udcff]")
"""Bytes that are not UTF-8, as Python's ``surrogateescape`` keeps them."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A value that is not JSON: a kind of finding, what is wrong, and the column, 0 where there is none."""

    kind: str
    message: str
    column: int = 0

    def as_error(self, name: str, line: int) -> CheckFailedError:
        """The error for a file that cannot be read past it."""
        column = f", column {self.column}" if self.column else ""
        hint = NAME_IT if self.kind == "encoding" else _GO_ON
        return CheckFailedError(f"{name}:{line}{column}: {self.message}", hint)


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
        tolerant = codecs.lookup(encoding).name == "utf-8"
        decoder = codecs.getincrementaldecoder(encoding)("surrogateescape" if tolerant else "strict")
        self._decoder = io.IncrementalNewlineDecoder(decoder, translate=True)
        self._buffer, self._at, self._done, self._ended = "", 0, 0, False
        self._undecoded = False
        self._fault: Unreadable | None = None
        self._decode = json.JSONDecoder(
            parse_constant=self._number(refuse_constant), parse_float=self._number(finite),
            parse_int=self._number(int), object_pairs_hook=self._object,
        ).raw_decode  # fmt: skip

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

    def is_list_of_lines(self) -> bool:
        """Whether a list stands here, and another one behind it: JSON Lines whose examples are lists."""
        try:
            _, end = self._decode(self._buffer, self._at)
        except (ValueError, RecursionError):
            return False
        return self._buffer[end:].lstrip(_SPACE).startswith("[")

    def value(self, *, alone: bool = True) -> tuple[int, Any]:
        """The next value, or what is wrong with it, and the number of the line in which it begins.

        A value is ``alone`` where only another object or list may follow it in its line; with other text behind it the
        line is not JSON. Behind an :class:`Unreadable` value the reader is at the next line where an example may begin.

        Raises:
            CheckFailedError: the file has another encoding.
        """
        self.peek()
        line = self.line
        while True:
            self._fault = None
            try:
                value, end = self._decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                if self._cut(error) and self._more():
                    continue
                return line, self._unreadable(error.msg, error.pos)
            except (ValueError, RecursionError) as error:
                return line, self._unreadable(refused(error), self._at)
            if self._goes_on(end) and self._more():
                continue
            if alone and (at := self._text_behind(end)):
                return line, self._unreadable("more text stands behind the JSON", at)
            value = self._checked(value, end)
            self.line += self._buffer.count("\n", self._at, end)
            self._at = end
            return line, value

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            keys = [key for key, _ in pairs]
            self._fault = Unreadable("repeated_key", twice(next(key for key in keys if keys.count(key) > 1)))
        return made

    def _number(self, read: Callable[[str], float]) -> Callable[[str], float]:
        """Reads a number; one that is none is remembered, so that the end of its example is still found."""

        def number(digits: str) -> float:
            try:
                return read(digits)
            except ValueError as error:
                self._fault = Unreadable("json", refused(error))
                return 0

        return number

    def _checked(self, value: Any, end: int) -> Any:
        """The value that ends at ``end``, or what is wrong with it though it is JSON."""
        if self._undecoded and (byte := _UNDECODED.search(self._buffer, self._at, end)):
            return self._not_utf8(byte.start())
        if is_too_deep(value, self._buffer, self._at, end):
            return Unreadable("json", TOO_DEEP)
        return self._fault or value

    def _goes_on(self, end: int) -> bool:
        """Whether what was read ends with the value, or so near behind it that more may stand in its line."""
        return len(self._buffer) - end < _NEAR_BEHIND and _BEHIND.fullmatch(self._buffer, end) is not None

    def _text_behind(self, end: int) -> int:
        """Where text stands behind a value that ends at ``end``, in the same line; 0 where none does.

        Another example, and commas as between the elements of a list, are not such text.
        """
        at = _BEHIND.match(self._buffer, end).end()  # type: ignore[union-attr]
        return at if self._buffer[at : at + 1] not in ("", "\n", "{", "[") else 0

    def _cut(self, error: json.JSONDecodeError) -> bool:
        """Whether the value may only be cut by the end of what was read."""
        if len(self._buffer) - self._at > LONGEST_LINE_BYTES:
            return False
        return error.pos >= len(self._buffer) - _NEAR_END or error.msg.startswith("Unterminated string")

    def _unreadable(self, said: str, pos: int) -> Unreadable:
        """What is wrong with the value that begins here; goes on to where the next one may begin."""
        if len(self._buffer) - self._at > LONGEST_LINE_BYTES:
            found = Unreadable("line_too_long", "an example is too long, or its JSON is not closed")
            self._skip_line()
            return found
        end = self._buffer.find("\n", self._at)
        end = len(self._buffer) if end < 0 else end
        indent = self._column(self._at) - 1
        if pos <= end or not self._is_inside(end + 1, indent):
            found = self._wrong(end)
            self._skip_line()
            return found
        found = self._wrong_below(said, pos)
        self._skip_line()
        while self._is_inside(self._at, indent):
            self._skip_line()
        return found

    def _wrong(self, end: int) -> Unreadable:
        """What is wrong with the rest of this line, which ends at ``end``."""
        if self._undecoded and (byte := _UNDECODED.search(self._buffer, self._at, end)):
            return self._not_utf8(byte.start())
        try:
            value_of(self._buffer[self._at : end])
        except LineError as error:
            return Unreadable("json", error.message, error.column and self._column(self._at) + error.column - 1)
        return Unreadable("json", "not JSON")

    def _wrong_below(self, said: str, pos: int) -> Unreadable:
        """What is wrong with an object over several lines, at ``pos``."""
        if self._undecoded and (byte := _UNDECODED.search(self._buffer, self._at, pos + 1)):
            return self._not_utf8(byte.start())
        why = f"{said[:1].lower()}{said[1:]}"
        return Unreadable("json", f"not JSON in line {self._line_of(pos)}, column {self._column(pos)}: {why}")

    def _not_utf8(self, at: int) -> Unreadable:
        said = not_utf8(bytes([ord(self._buffer[at]) - 0xDC00]))
        if (line := self._line_of(at)) == self.line:
            return Unreadable("encoding", said, self._column(at))
        return Unreadable("encoding", f"{said}, in line {line}, column {self._column(at)}")

    def _line_of(self, at: int) -> int:
        return self.line + self._buffer.count("\n", self._at, at)

    def _column(self, at: int) -> int:
        return at - self._buffer.rfind("\n", 0, at)

    def _skip_line(self) -> None:
        """Go on behind the next end of a line, however far that is."""
        while (end := self._buffer.find("\n", self._at)) < 0:
            self._at = len(self._buffer)
            if not self._more():
                return
        self.line += 1
        self._at = end + 1

    def _is_inside(self, at: int, indent: int) -> bool:
        """Whether the line at ``at`` goes on with an example that has ``indent``: it has more, or closes something."""
        begin = at
        while at < len(self._buffer) and self._buffer[at] in " \t":
            at += 1
        if at == len(self._buffer) and begin == self._at and self._more():
            return self._is_inside(self._at, indent)
        return at - begin > indent or self._buffer[at : at + 1] in ("]", "}")

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
        except UnicodeError as error:
            line = self.line + kept.count("\n") + data[: getattr(error, "start", 0)].count(b"\n")
            raise CheckFailedError(f"{self.name}:{line}: {not_in(self._encoding, error)}", NAME_IT) from None
        if text:
            self._undecoded = self._undecoded or (not text.isascii() and _UNDECODED.search(text) is not None)
            self._buffer, self._at = kept + text, 0
        return bool(text) or not self._ended


def values_of(reader: Reader) -> Iterator[tuple[int, Any]]:
    """The values of a file, each with the number of its line; those of a list that is all of the file one by one.

    What is not JSON between others is :class:`Unreadable`.

    Raises:
        CheckFailedError: the file is a list that is not JSON from some line on, or it has another encoding.
    """
    if reader.peek() != "[" or reader.is_list_of_lines():
        while reader.peek():
            yield reader.value()
            if reader.peek() == ",":  # as between the elements of a list
                reader.skip()
        return
    reader.skip()
    while (following := reader.peek()) != "]":
        if not following:
            raise CheckFailedError(f"{reader.name}:{reader.line}: the list is not closed", _GO_ON)
        line, value = reader.value(alone=False)
        if isinstance(value, Unreadable) and value.kind not in ("encoding", "repeated_key"):
            raise value.as_error(reader.name, line)
        yield line, value
        if reader.peek() == ",":
            reader.skip()
        elif reader.peek() not in ("]", ""):
            raise CheckFailedError(f"{reader.name}:{reader.line}: a comma is missing between two examples", _GO_ON)
    reader.skip()
    if reader.peek():
        raise CheckFailedError(f"{reader.name}:{reader.line}: more text stands behind the list", _GO_ON)
