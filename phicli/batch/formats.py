"""What kind of file the input is, and its rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import BinaryIO, Final

from phicli.batch.lines import BOM, json_rows, lines_of, prompt_rows
from phicli.batch.source import Source, in_shell
from phicli.batch.table import columns_of, delimiter_of, table_rows
from phicli.batch.types import InputFormat, Row
from phicli.errors import UsageError

_BY_SUFFIX: Final[dict[str, InputFormat]] = {
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
}  # fmt: skip
_LOOKED_AT: Final = 4096


@dataclass(frozen=True, slots=True)
class Layout:
    """How the input is read.

    Attributes:
        format: what kind of file it is.
        delimiter: between the columns of a table.
        columns: of a table, in their order.
        has_bom: the file begins with a byte order mark, as programs of Windows like it.
    """

    format: InputFormat
    delimiter: str = ","
    columns: tuple[str, ...] = ()
    has_bom: bool = False

    @property
    def is_table(self) -> bool:
        """Whether it has columns."""
        return self.format in ("csv", "tsv")

    @property
    def id_key(self) -> str:
        """The key of a row's id."""
        return "custom_id" if self.format == "openai" else "id"

    def rows(self, file: BinaryIO) -> Iterator[Row]:
        """Every row that is not empty, those that are wrong included."""
        if self.is_table:
            return table_rows(file, self.delimiter, self.columns)
        return prompt_rows(file) if self.format == "lines" else json_rows(file)


def layout_of(source: Source, asked: InputFormat | None) -> Layout:
    """How ``source`` is read: as ``asked``, else by its name, else by its first line.

    Raises:
        UsageError: it is not text, or not lines.
    """
    _require_text(source)
    with source.reader() as file:
        first = next((data for _, data in lines_of(file) if data is None or data.strip()), None)
    if first is None and not source.size_bytes:
        raise UsageError(f"{source.name} is empty", "each line is a prompt, or a JSON object with a prompt")
    with source.reader() as file:
        has_bom = file.read(len(BOM)) == BOM
    chosen = asked or _by_name_and_content(source, first or b"")
    if chosen not in ("csv", "tsv"):
        return Layout(chosen, has_bom=has_bom)
    with source.reader() as file:
        delimiter = delimiter_of(file, tabs=chosen == "tsv")
    with source.reader() as file:
        return Layout(chosen, delimiter, columns_of(file, delimiter, source.name), has_bom)


def _by_name_and_content(source: Source, first: bytes) -> InputFormat:
    by_name = _BY_SUFFIX.get(PurePath(source.name).suffix.lower())
    if by_name in ("csv", "tsv"):
        return by_name
    if first.lstrip().startswith(b"[") and by_name is not None:
        raise UsageError(
            f"{source.name} is one JSON list, but each line must be an object",
            f"write one object per line: jq -c '.[]' {in_shell(source.name)} > lines.jsonl",
        )
    fields = _object(first)
    if fields is not None and "custom_id" in fields and "body" in fields:
        return "openai"
    return "jsonl" if by_name is not None or fields is not None else "lines"


def _object(line: bytes) -> dict[str, object] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _require_text(source: Source) -> None:
    with source.reader() as file:
        begin = file.read(_LOOKED_AT)
    if begin.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UsageError(
            f"{source.name} is UTF-16 text, but must be UTF-8",
            f"convert it first: iconv -f UTF-16 -t UTF-8 {in_shell(source.name)} > utf8.txt",
        )
    if b"\0" in begin:
        raise UsageError(
            f"{source.name} is not text", "export it first, e.g. a spreadsheet as CSV; or write JSON lines"
        )
