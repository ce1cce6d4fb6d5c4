"""Checks a file of training data in one pass: every line by itself, then what lines have in common."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, Protocol

from phicli.errors import UsageError
from phicli.plan.prompt_size import estimate_tokens
from phicli.training_data.conversation import messages_of
from phicli.training_data.decoding import (
    BOM,
    LineError,
    how_to_read,
    repeated_key,
    text_of,
    twice,
    value_of,
    what_it_is,
)
from phicli.training_data.digests import Digests, Joiner, content_of, digest_of, encoded, plain_texts
from phicli.training_data.findings import Finding, Findings, Severity
from phicli.training_data.lines import LONGEST_LINE_BYTES, OnBytes, ignore_bytes, lines_of
from phicli.training_data.report import FileFacts, Report, Tokens
from phicli.training_data.services import ANY, Service
from phicli.training_data.source import typed_name
from phicli.training_data.structure import Structure
from phicli.training_data.texts import findings_in, surrogates_in
from phicli.units import counted, format_bytes

LARGEST_CONTEXT: Final = 131_072
"""Tokens: the largest context of the family."""
_FEW: Final = 10
_SHORT: Final = 64
"""Bytes: a longer line of white space is not looked for, and is not JSON."""
_WARNINGS: Final = frozenset({"service"})
"""Kinds of findings that are never errors."""


class Counter(Protocol):
    """Counts the tokens of an example as a model reads it."""

    model: str
    format: str
    context_tokens: int

    def count(self, example: Mapping[str, Any]) -> int:
        """The tokens of ``example``, whose shape is right.

        Raises:
            UsageError: the prompt format cannot hold it.
        """


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """How data is checked; ``keep`` findings of each kind, all for None. ``own_keys`` are a person's own.

    With ``any_own_keys`` so are all that do not look like one that is known.
    """

    service: Service = ANY
    own_keys: tuple[str, ...] = ()
    keep: int | None = 20
    any_own_keys: bool = False


class Checking:
    """A check of one file, or of two that belong together.

    Args:
        options: what is checked.
        counter: counts the tokens of the examples; None where that is not asked for.
        clock: seconds.
    """

    def __init__(
        self, options: CheckOptions, counter: Counter | None = None, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._options, self._counter, self._clock = options, counter, clock
        self._structure = Structure(options.service, options.own_keys, any_own_keys=options.any_own_keys)
        self._own, self._joiner = frozenset(options.own_keys), Joiner()
        self._findings = Findings(options.keep)
        self._began = clock()
        self._counted_s = 0.0
        self._counts: array[int] = array("q")
        self._read: list[tuple[FileFacts, Digests]] = []
        self._facts = FileFacts("")
        self._line = 0
        self._interrupted = self._ended = False

    def interrupt(self) -> None:
        """The file is not read to its end: what was found so far is all that there is."""
        self._interrupted = True
        if self._read and not self._ended:
            self._repeated(self._read[-1][1])

    def read(self, file: BinaryIO, name: str, on_bytes: OnBytes = ignore_bytes) -> None:
        """Check the lines of ``file``: of the training file first, then of the validation file."""
        facts, digests = FileFacts(name), Digests()
        self._facts, self._line, self._ended = facts, 0, False
        self._read.append((facts, digests))
        for number, data, size in lines_of(file, on_bytes):
            facts.lines, self._line = number, number
            facts.bytes += size
            if data is None:
                self._too_long(size)
                digests.add(None)
                continue
            content = self._without_mark(data) if number == 1 else data
            if number == 1 and (what := what_it_is(content)):
                how = how_to_read(content, typed_name(name))
                self._whole("file", f"the file is {what}, not UTF-8 text with one example per line: {how}")
                break
            digests.add(self._example(content))
        self._file_as_a_whole(digests)

    def report(self) -> Report:
        """What was found in all files that were read."""
        if len(self._read) > 1:
            self._compare()
        tokens = None
        if self._counter is not None and self._counts:
            known = self._counter
            tokens = Tokens(known.model, known.format, known.context_tokens, self._counts, self._counted_s)
        files = [facts for facts, _ in self._read]
        took = self._clock() - self._began
        return Report(self._options.service.name, files, self._findings, tokens, took, self._interrupted)

    def _example(self, data: bytes) -> bytes | None:
        """Check a line; returns the hash of its example, None where it has none."""
        facts = self._facts
        if data.endswith(b"\r\n"):
            facts.windows_lines += 1
        try:
            text = text_of(data.rstrip(b"\r\n"))
            if len(data) < _SHORT and not text.strip():
                self._add("empty_line", "", "the line is empty: leave it out", "warning")
                return None
            example = value_of(text)
        except LineError as error:
            self._findings.add(Finding("error", error.kind, facts.name, self._line, error.message, column=error.column))
            return None
        before = self._findings.errors
        joined = plain_texts(example)
        readable = joined is not None or self._structure.check(example, self._add)
        if type(example) is not dict:
            return None
        facts.examples += 1
        digest = self._texts(example, data, joined)
        if not readable:
            return None
        facts.answers += [type(one) is dict and one.get("role") for one in messages_of(example)].count("assistant")
        if self._findings.errors == before:
            self._tokens(example, text)
        return digest

    def _texts(self, example: Mapping[str, Any], data: bytes, joined: str | None) -> bytes | None:
        """Check the texts of an example; returns the hash. ``joined`` are those of one with plain turns only."""
        if key := repeated_key(data, example, plain=joined is not None):
            self._add("repeated_key", "", twice(key))
        plain = joined is not None
        joined = self._joiner.texts(content_of(example, self._own)) if joined is None else joined
        texts, whole = encoded(joined)
        for found in findings_in(example, texts):
            self._add(*found)
        if plain and b"<" in texts and b"think>" in texts:
            self._structure.check(example, self._add)
        if not whole:
            for found in surrogates_in(example):
                self._add(*found)
        return digest_of(texts)

    def _tokens(self, example: Mapping[str, Any], text: str) -> None:
        service = self._options.service
        if self._counter is None:
            most, whose = LARGEST_CONTEXT, "the largest context of the family"
            if service.most_tokens is not None:
                most, whose = service.most_tokens, f"{service.title} documents for an example"
            if len(text) > most and (about := estimate_tokens(text)) > most:
                self._add("too_long", "", f"about {about:,} tokens, more than {whose}, {most:,}: "
                          "count them with --model NAME", "warning")  # fmt: skip
            return
        began = self._clock()
        try:
            tokens = self._counter.count(example)
        except UsageError as error:
            self._add("format", "", error.message)
            return
        finally:
            self._counted_s += self._clock() - began
        if len(self._read) == 1:
            self._counts.append(tokens)
        if tokens > self._counter.context_tokens:
            limit = f"{self._counter.context_tokens:,}"
            self._add("too_long", "", f"{tokens:,} tokens, but the context of {self._counter.model} has {limit}")
        elif service.most_tokens is not None and tokens > service.most_tokens:
            self._add("service", "", f"{tokens:,} tokens: {service.title} documents at most "
                      f"{service.most_tokens:,} for an example")  # fmt: skip
        elif service.warn_above_tokens is not None and tokens > service.warn_above_tokens:
            self._add("service", "", f"{tokens:,} tokens: {service.title} cuts examples at "
                      f"{service.warn_above_tokens:,} unless max_length is set")  # fmt: skip

    def _without_mark(self, data: bytes) -> bytes:
        mark = self._options.service.byte_order_mark
        title = self._options.service.title
        if not data.startswith(BOM):
            if mark == "expected":
                self._whole("byte_order_mark", f"{title} documents UTF-8 with a byte order mark, and the file has "
                            "none: phi data convert --to azure writes one", "warning")  # fmt: skip
            return data
        if mark == "harm":
            self._whole("byte_order_mark", "the file begins with a byte order mark, which some readers take for text: "
                        "remove it with phi data convert", "warning")  # fmt: skip
        elif not mark:
            self._whole("byte_order_mark", "the file begins with a byte order mark, which is not read", "note")
        return data[len(BOM) :]

    def _too_long(self, size: int) -> None:
        limit = format_bytes(LONGEST_LINE_BYTES)
        self._add("line_too_long", "", f"the line has {format_bytes(size)}, and at most {limit} are read of a line")

    def _file_as_a_whole(self, digests: Digests) -> None:
        service, facts = self._options.service, self._facts
        if facts.windows_lines:
            lines = counted(facts.windows_lines, "line")
            end = "ends" if facts.windows_lines == 1 else "end"
            self._whole("line_ends", f"{lines} {end} as on Windows, which is fine", "note")
        if not facts.examples and not self._findings.errors:
            self._whole("count", "the file has no examples")
        elif 0 < facts.examples < service.min_examples and facts is self._read[0][0]:
            self._whole("count", f"{counted(facts.examples, 'example')}: {service.title} takes no fewer than "
                        f"{service.min_examples}")  # fmt: skip
        elif 0 < facts.examples < _FEW and facts is self._read[0][0]:
            self._whole("count", f"{counted(facts.examples, 'example')}: a model learns little from so few", "warning")
        if service.max_bytes is not None and facts.bytes >= service.max_bytes:
            self._whole("size", f"{facts.bytes:,} bytes: {service.title} takes files of less than "
                        f"{service.max_bytes // 1_000_000} MB")  # fmt: skip
        self._repeated(digests)

    def _repeated(self, digests: Digests) -> None:
        self._ended = True
        for line, first in digests.repeated():
            self._at(line, "duplicate", f"the same example as in line {first}")

    def _compare(self) -> None:
        (training, seen), (facts, digests) = self._read[:2]
        self._facts = facts
        many, shared = seen.shared_with(digests)
        if many == digests.examples > 1:
            self._whole("validation", f"all of its {many:,} examples are in {training.name} too: it is a copy, or "
                        "a part of it")  # fmt: skip
            return
        for line, first in shared:
            self._at(line, "validation", f"the same example as in line {first} of {training.name}")

    def _add(self, kind: str, place: str, message: str, severity: Severity = "error") -> None:
        level: Severity = "warning" if kind in _WARNINGS else severity
        self._findings.add(Finding(level, kind, self._facts.name, self._line, message, place))

    def _whole(self, kind: str, message: str, severity: Severity = "error") -> None:
        self._findings.add(Finding(severity, kind, self._facts.name, 0, message))

    def _at(self, line: int, kind: str, message: str) -> None:
        self._findings.add(Finding("error", kind, self._facts.name, line, message))
