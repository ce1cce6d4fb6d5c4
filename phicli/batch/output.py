"""How results become lines of the output: JSON, or records of a table."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from phicli.batch.formats import Layout
from phicli.batch.lines import BOM
from phicli.batch.scan import Scan
from phicli.batch.types import Row
from phicli.errors import UsageError
from phicli.structured.form import Form, SchemaForm
from phicli.units import csv_line

_ENDS_OF_LINES: Final = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}
"""What JSON may have as it is, and some readers take for the end of a line."""
_TABLES: Final = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_MOST_COLUMNS: Final = 1000
_MESSAGES: Final = "messages"


class Output(Protocol):
    """Makes the bytes of the output."""

    @property
    def needs_rows(self) -> bool:
        """Whether lines have anything of the input."""

    def head(self) -> bytes:
        """What is in front of the first line."""

    def line(self, row: Row | None, result: Mapping[str, Any]) -> bytes:
        """The line of a row, with its end."""


@dataclass(frozen=True, slots=True)
class JsonOutput:
    """A JSON object in each line: the result as it is."""

    needs_rows: bool = False

    def head(self) -> bytes:
        """Nothing."""
        return b""

    def line(self, row: Row | None, result: Mapping[str, Any]) -> bytes:
        """See :class:`Output`."""
        del row
        text = json.dumps(result, ensure_ascii=False).translate(_ENDS_OF_LINES)
        return text.encode(errors="replace") + b"\n"


@dataclass(frozen=True, slots=True)
class TableOutput:
    """A record for each row: its own columns, those of the answer, why it ended, and what was wrong.

    Attributes:
        delimiter: between columns.
        columns: of the input.
        answer: names of the columns of the answer to keys of its value; the key None is the text of the answer.
        has_calls: there is a column for tool calls.
        bom: begin with a byte order mark.
    """

    delimiter: str
    columns: tuple[str, ...]
    answer: Mapping[str, str | None]
    has_calls: bool = False
    bom: bool = False
    needs_rows: bool = True

    def head(self) -> bytes:
        """The names of the columns."""
        names = _different([*self.columns, *self.answer, *self._more])
        return (BOM if self.bom else b"") + self._record(names)

    def line(self, row: Row | None, result: Mapping[str, Any]) -> bytes:
        """See :class:`Output`."""
        fields: Mapping[str, Any] = {} if row is None else row.fields
        own = [fields.get(name) for name in self.columns]
        if "id" in self.columns and "id" not in fields:
            own[self.columns.index("id")] = result.get("id")
        error = (result.get("error") or {}).get("message")
        if row is not None and row.problem:
            error = f"line {row.line}: {error}"
        return self._record([*own, *self._answer(result), *self._ends(result), error])

    @property
    def _more(self) -> tuple[str, ...]:
        return (*(("tool_calls",) if self.has_calls else ()), "finish_reason", "error")

    def _answer(self, result: Mapping[str, Any]) -> Iterable[Any]:
        parsed = result.get("parsed")
        values = parsed if isinstance(parsed, Mapping) else {}
        return (result.get("text") if key is None else values.get(key) for key in self.answer.values())

    def _ends(self, result: Mapping[str, Any]) -> Iterable[Any]:
        if self.has_calls:
            yield result.get("tool_calls") or None
        yield result.get("finish_reason")

    def _record(self, values: Sequence[Any]) -> bytes:
        return csv_line([_cell(one) for one in values], self.delimiter).encode(errors="replace")


def is_table(path: Path) -> bool:
    """Whether the output at ``path`` is a table, by its name."""
    return path.suffix.lower() in _TABLES


def output_of(path: Path, layout: Layout, scan: Scan, form: Form | None, *, tools: bool) -> Output:
    """How the output at ``path`` is written: a table by its name, else JSON lines.

    Raises:
        UsageError: there would be too many columns, or responses of a batch file in a table.
    """
    delimiter = _TABLES.get(path.suffix.lower())
    if delimiter is None:
        return JsonOutput()
    if layout.format == "openai":
        other = shlex.quote(str(path.with_name(f"{path.stem}-answers.jsonl")))  # without the end it may be the input
        raise UsageError("the answers to an OpenAI batch file are JSON lines, not a table", f"use --out {other}")
    columns = tuple(key for key in scan.keys if key != _MESSAGES or layout.is_table)
    if len(columns) >= _MOST_COLUMNS:
        raise UsageError(f"the input has more than {_MOST_COLUMNS} keys: too many for a table", "use --out OUT.jsonl")
    if not layout.is_table and "id" not in columns:
        columns = ("id", *columns)
    same = layout.is_table and path.suffix.lower() == ".csv" and layout.format == "csv"
    return TableOutput(layout.delimiter if same else delimiter, columns, _answer_columns(form), tools, layout.has_bom)


def _answer_columns(form: Form | None) -> dict[str, str | None]:
    """The columns of an answer: one for each property of a schema of objects, and its text where that says more."""
    schema = form.schema if isinstance(form, SchemaForm) else None
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(schema, Mapping) or not isinstance(properties, Mapping) or not properties:
        return {"text": None}
    names: dict[str, str | None] = {name: name for name in properties}
    is_closed = schema.get("type") == "object" and not {*schema} & _OPEN and not schema.get("additionalProperties")
    return names if is_closed else {**names, "text": None}


_OPEN: Final = frozenset(("allOf", "anyOf", "oneOf", "if", "patternProperties", "$ref", "dependentSchemas"))


def _different(names: Sequence[str]) -> list[str]:
    """The names, with ``answer_`` in front of one that occurred before."""
    known: list[str] = []
    for name in names:
        new = name
        while new in known:
            new = f"answer_{new}"
        known.append(new)
    return known


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
