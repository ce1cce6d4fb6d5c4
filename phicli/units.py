"""Numbers, sizes and lists as people read them, and rows of tables as programs do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_KIB: Final = 1 << 10
_MIB: Final = 1 << 20
_GIB: Final = 1 << 30


def counted(count: int, noun: str) -> str:
    """``count`` with the noun, whose plural ends in s: ``1 run``, ``1,024 runs``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def listed(names: Sequence[str], most: int) -> str:
    """``names`` in one line, at most ``most`` of them: ``a, b and 3 more``."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def csv_line(cells: Sequence[str], delimiter: str = ",") -> str:
    """One row of CSV with its end, a line feed. Cells with any end of a line are quoted.

    Until Python 3.13 the module csv leaves a lone carriage return unquoted unless its own line ends have one, and then
    refuses to read it.
    """
    import csv
    import io

    line = io.StringIO()
    csv.writer(line, delimiter=delimiter, lineterminator="\r\n").writerow(cells)
    return line.getvalue().removesuffix("\r\n") + "\n"


def format_bytes(count: int) -> str:
    """``count`` bytes in binary units: ``2.32 GiB``, ``412.5 MiB``, ``3 KiB``, ``17 B``."""
    if count >= 0.95 * _GIB:
        return f"{count / _GIB:.2f} GiB"
    if count >= 0.095 * _MIB:
        return f"{count / _MIB:.1f} MiB"
    return f"{count / _KIB:.0f} KiB" if count >= _KIB else f"{count} B"


def format_about(count: int) -> str:
    """A size in bytes that is known roughly only: ``~2.3 GiB``."""
    if count >= 0.95 * _GIB:
        return f"~{count / _GIB:.1f} GiB"
    return f"~{count / _MIB:.0f} MiB"


def format_count(count: int) -> str:
    """A number of parameters with at most one decimal: ``3.8B``, ``14B``, ``1M``, ``900``."""
    for size, letter in ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K")):
        if count >= 0.9995 * size:
            return f"{count / size:.1f}".removesuffix(".0") + letter
    return str(count)


def format_rate(value: float) -> str:
    """A speed or a time with one decimal, from 10 on with none: ``9.9``, ``11``."""
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"


def format_tokens(count: int) -> str:
    """A number of tokens, in 1024s where that is exact: ``128K``, ``1M``, ``256``, ``100,000``."""
    for size, letter in ((_MIB, "M"), (_KIB, "K")):
        if count >= size and count % size == 0:
            return f"{count // size}{letter}"
    return f"{count:,}"


def format_pace(per_second: float) -> tuple[str, str]:
    """How often something happens, with two digits, and the unit: ``("31", "second")``, ``("4.5", "minute")``."""
    value, unit = (per_second, "second") if per_second >= 0.1 else (60 * per_second, "minute")
    return (f"{value:.2g}" if value < 10 else f"{value:,.0f}"), unit


def format_day(seconds: float) -> str:
    """The local day of a time in seconds since 1970: ``2026-11-22``."""
    from datetime import datetime

    return datetime.fromtimestamp(seconds).astimezone().date().isoformat()


def how_far(what: str, done_bytes: int, total_bytes: int) -> str:
    """What is being done and how far it is: ``hashing x.gguf: 12 % of 2.32 GiB``."""
    return f"{what}: {100 * done_bytes // max(total_bytes, 1)} % of {format_bytes(total_bytes)}"
