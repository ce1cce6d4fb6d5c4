"""Aligned columns of plain text, for pipes and files: no color, no frame, nothing cut."""

from __future__ import annotations

from collections.abc import Collection, Sequence

GAP = "  "


def aligned(rows: Sequence[Sequence[str]], *, right: Collection[int] = ()) -> list[str]:
    """One line for each row, columns two spaces apart; an empty cell is a dash, ``right`` are columns of numbers."""
    filled = [[clean(cell) or "-" for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*filled, strict=True)]
    return [
        GAP.join(
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in filled
    ]


def clean(cell: str) -> str:
    """``cell`` on one line: names of files and what they say about themselves come from anywhere."""
    return " ".join("".join(one if one.isprintable() else " " for one in cell).split())
