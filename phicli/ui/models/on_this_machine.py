"""What a model takes on this machine, in ``phi show``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from phicli.plan.description import VariantDescription
from phicli.plan.recommendation import OnThisMachine, QuantHere
from phicli.ui.recommendation_data import assessment_data
from phicli.ui.sections import Section
from phicli.units import format_bytes, format_rate

_MOST_ROWS: Final = 8
_HEADS: Final = ("quant", "memory", "tokens/s", "grade", "fits")


def here_section(here: OnThisMachine, shown: VariantDescription | None = None) -> Section:
    """A table of the most useful quantizations; ``shown`` is None for a file.

    What ``phi pull`` takes has a star, and is there even where others would be of more use.
    """
    if not here.rows:
        return Section("")
    rows = [row for place, row in enumerate(here.rows) if place < _MOST_ROWS or row.takes]
    context = ("context", f"{here.context_tokens:,} tokens planned")
    return Section(
        "On this machine now",
        facts=(("memory", _usable(here)), context),
        table=(_HEADS, *(tuple(_cells(row)) for row in rows)),
        right=(1,),
        points=tuple(_points(here, shown, len(here.rows) - len(rows))),
    )


def star_says(shown: VariantDescription) -> str:
    """What the star means: the command that takes it, short where that is enough.

    With the usual quantization here already a pull without one would be content with that.
    """
    short = not shown.quant and all(model.quant == shown.takes for model in shown.installed)
    name = shown.variant.id if short or shown.takes is None else f"{shown.variant.id}:{shown.takes.lower()}"
    return f"to download the file with the star: phi pull {name}"


def here_data(here: OnThisMachine) -> dict[str, Any]:
    """The field ``on_this_machine`` of ``show --json``: every quantization, the most useful first.

    ``fits`` and ``missing_bytes`` are null if the machine does not report its memory. ``speed`` is null for what does
    not fit; ``remedy`` says then what would make it fit, if anything.
    """
    return {
        "usable_bytes": here.usable_bytes,
        "gpu_usable_bytes": here.gpu_usable_bytes,
        "context_tokens": here.context_tokens,
        "native_kernels": asdict(here.machine.kernels),
        "rows": [_row_data(row) for row in here.rows],
    }


def _row_data(row: QuantHere) -> dict[str, Any]:
    data = assessment_data(row.assessment)
    out = row.rejection
    missing = None if row.fits is None else (out.missing_bytes if out else 0)
    return {
        "quant": data["quant"] or None,
        "installed": data["installed"],
        "fits": row.fits,
        "missing_bytes": missing,
        "remedy": _remedy(row) or None,
        "context_tokens": data["context_tokens"],
        "kv_type": data["kv_type"],
        "gpu_layers": data["gpu_layers"],
        "memory": data["memory"],
        "speed": None if out else data["speed"],
        "takes": row.takes,
    }


def _usable(here: OnThisMachine) -> str:
    memory = here.machine.memory
    if memory is None or here.usable_bytes is None:
        text = "the memory size of this machine is unknown, so what fits is unknown"
    else:
        text = f"{format_bytes(here.usable_bytes)} of {format_bytes(memory.total_bytes)} can be used"
    return text + (f"; on the GPU {format_bytes(here.gpu_usable_bytes)}" if here.gpu_usable_bytes else "")


def _cells(row: QuantHere) -> Iterator[str]:
    """The cells under ``_HEADS``."""
    one = row.assessment
    speed = one.speed
    quant = one.candidate.quant or "?"
    yield f"{quant} *" if row.takes else quant
    yield format_bytes(one.memory.total_bytes)
    if row.rejection is not None:
        yield from ("", "")
    else:
        low, high = format_rate(speed.decode_tps_low), format_rate(speed.decode_tps_high)
        yield f"{format_rate(speed.decode_tps)} ({low} to {high})"
        yield speed.method
    yield _fits(row)


def _fits(row: QuantHere) -> str:
    one = row.assessment
    if row.rejection is not None:
        short = f"{format_bytes(row.rejection.missing_bytes or 0)} too large"
        remedy = _remedy(row)
        return f"{short}; fits with {remedy}" if remedy else short
    layers = one.candidate.shape.layers
    words = "?" if row.fits is None else "yes"
    if one.gpu_layers > layers:
        words += ", on the GPU"
    elif one.gpu_layers:
        words += f", {one.gpu_layers} of {layers + 1} layers on the GPU"
    return words if one.kv_type == "f16" else f"{words}, with --kv-type {one.kv_type}"


def _remedy(row: QuantHere) -> str:
    """The options that make it fit; they stand last in the rejection's own remedy, for the cache that was tried."""
    if row.rejection is None or row.rejection.remedy is None:
        return ""
    options = row.rejection.remedy.rpartition(": ")[2]
    kv_type = row.assessment.kv_type
    return options if kv_type == "f16" or "--kv-type" in options else f"{options} --kv-type {kv_type}"


def _points(here: OnThisMachine, shown: VariantDescription | None, left_out: int) -> Iterator[str]:
    if shown is not None and any(row.takes for row in here.rows):
        yield star_says(shown)
    if all(row.rejection is not None for row in here.rows):
        yield "no file of this model fits; see what fits: phi recommend"
    if here.kernels_note:
        yield here.kernels_note
    if left_out and shown is not None:
        yield f"{left_out} more: phi show {shown.variant.id} --json"
