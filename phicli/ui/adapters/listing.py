"""What ``phi adapters list`` prints: a table on a terminal, aligned columns in a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from phicli.adapters.description import AdapterDescription
from phicli.adapters.registry import HOW_TO_ADD, RegisteredAdapter
from phicli.ui.adapters.data import adapter_data
from phicli.ui.columns import aligned
from phicli.ui.envelope import print_result
from phicli.ui.tables import Column, print_rows
from phicli.ui.terminal import Terminal, one_line
from phicli.units import format_bytes, listed

_NAME, _BASE, _SIZE = Column("name"), Column("base model", least=12), Column("size", right=True)
_RANK, _SOURCE = Column("rank", right=True), Column("source", least=16)
_LAYOUTS: Final = ((_NAME, _BASE, _RANK, _SIZE, _SOURCE), (_NAME, _BASE, _RANK, _SIZE), (_NAME, _BASE))


def print_adapters(
    terminal: Terminal, rows: Sequence[AdapterDescription], damaged: Sequence[Path], *, as_json: bool
) -> None:
    """A row for each adapter on standard output; what is wrong with one, on standard error.

    Args:
        terminal: where it is printed.
        rows: the adapters.
        damaged: records that cannot be read.
        as_json: print one object.

    Raises:
        OutputClosedError: the reader has closed it.
    """
    if as_json:
        data = {"adapters": [adapter_data(row) for row in rows], "damaged_records": [*map(str, damaged)]}
        print_result(terminal, "adapters list", data)
        return
    for path in damaged:
        terminal.alarm("warning:", f"{path} is damaged; remove it: phi adapters rm {path.stem}")
    if not rows:
        if not damaged:
            terminal.say(f"no adapters yet; to add one: {HOW_TO_ADD}")
        return
    print_rows(terminal, _LAYOUTS, [_cells(row) for row in rows])
    for row in rows:
        if row.problem is not None:
            terminal.alarm("warning:", f"{row.adapter.name}: {row.problem}")
    if terminal.stdout.isatty():
        terminal.say("to use one: phi chat MODEL --adapter NAME; about one: phi adapters show NAME")


def base_text(shown: AdapterDescription) -> str:
    """The model that it was made for: what its source says, else the models that it fits."""
    adapter = shown.adapter
    return adapter.base_model or adapter.base_name or (listed(shown.fits, 3) if shown.fits else "unknown")


def removal_lines(adapters: Sequence[RegisteredAdapter]) -> list[str]:
    """A line for each adapter that is to be removed."""
    fate = {True: "the converted file is deleted", False: "the file stays"}
    return aligned([[one.name, format_bytes(one.size_bytes), str(one.path), fate[one.is_ours]] for one in adapters])


def removal_data(adapters: Sequence[RegisteredAdapter]) -> list[dict[str, Any]]:
    """The same as ``--json`` has it."""
    return [
        {"name": one.name, "path": str(one.path), "size_bytes": one.size_bytes, "deletes_file": one.is_ours}
        for one in adapters
    ]


def _cells(row: AdapterDescription) -> dict[str, str]:
    ranks = "" if row.header is None else "-".join(map(str, dict.fromkeys((row.header.ranks[0], row.header.ranks[-1]))))
    cells = {
        "name": row.adapter.name,
        "base model": base_text(row),
        "rank": ranks,
        "size": format_bytes(row.adapter.size_bytes),
        "source": row.adapter.source,
    }
    return {key: one_line(text) for key, text in cells.items()}
