"""Predicted against allocated: what the memory model says of each buffer, and what the engine's own log says.

Skeleton files (``tests.support.skeleton``) of every model that llama.cpp runs are loaded and left at once. Variants
of the same dimensions are measured once.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.engine_buffers import MIB, Buffers, Load, buffers
from phicli.catalog.load import catalog
from phicli.catalog.types import Variant
from phicli.engine.settings import EngineSettings
from phicli.fit.memory import plan_memory, takes_kv_type, usable_bytes
from phicli.fit.memory_sum import MemorySum
from phicli.fit.shape import ModelShape, shape_of
from phicli.gguf_file.header import read_header
from phicli.hardware.memory import available_memory
from tests.support.skeleton import write_skeleton

QUANTS = ("Q4_K_M", "Q8_0", "Q3_K_M")
CONTEXTS = (2048, 4096, 8192, 16_384, 32_768)
CACHES = (("f16", True), ("f16", False), ("q8_0", True))
"""Type of the cache and flash attention: a quantized cache needs it, the engine refuses the fourth combination."""

QUANTITIES = ("weights_bytes", "kv_bytes", "compute_bytes", "repack_bytes")


@dataclass(frozen=True, slots=True)
class Row:
    """One load: prediction and measurement of every quantity in bytes."""

    names: str
    quant: str
    load: Load
    predicted: MemorySum
    measured: Buffers

    def error_bytes(self, quantity: str) -> int:
        """Predicted less measured."""
        return int(getattr(self.predicted, quantity) - getattr(self.measured, quantity))

    def error_share(self, quantity: str) -> float:
        """The error as a part of what was measured; 0 where both are nothing."""
        measured = getattr(self.measured, quantity)
        error = self.error_bytes(quantity)
        return error / measured if measured else float(error != 0)


def distinct() -> dict[str, Variant]:
    """Models that llama.cpp runs, one of each shape, under the names of all of that shape; not the packaged toy."""
    found: dict[object, list[Variant]] = {}
    for variant in catalog().variants:
        if variant.runs_here and variant.dimensions and not variant.packaged_file:
            key = (variant.architecture, variant.dimensions, variant.context_tokens, variant.original_context_tokens)
            found.setdefault(key, []).append(variant)
    return {", ".join(variant.id for variant in group): group[0] for group in found.values()}


def skeleton(folder: Path, variant: Variant, quant: str, layers: int | None) -> Path:
    """A skeleton of ``variant``, with fewer ``layers`` when asked for."""
    assert variant.architecture is not None
    assert variant.dimensions is not None
    path = folder / f"{variant.id}-{quant}.gguf"
    write_skeleton(
        path,
        variant.architecture,
        replace(variant.dimensions, layers=layers or variant.dimensions.layers),
        quant=quant,
        context_tokens=variant.context_tokens,
        original_context_tokens=variant.original_context_tokens,
    )
    return path


def predict(shape: ModelShape, load: Load) -> MemorySum:
    """What the memory model says of ``load``."""
    flash = "on" if load.flash_attention else "off"
    settings = EngineSettings(1, load.batch_tokens, load.kv_type, flash, load.repack)
    return plan_memory(shape, settings, context_tokens=load.context_tokens)


def loads(path: Path, variant: Variant, shape: ModelShape, contexts: Iterable[int]) -> Iterator[Load]:
    """The loads of the grid that the model was trained for, that the engine takes and for which the memory is there."""
    for context, (kv_type, flash) in itertools.product(contexts, CACHES):
        load = Load(str(path), context, kv_type, flash)
        if context <= variant.context_tokens and takes_kv_type(shape, kv_type) and _fits(predict(shape, load)):
            yield load


def _fits(needed: MemorySum) -> bool:
    memory = available_memory()
    return memory is None or needed.must_have_bytes <= usable_bytes(memory)


def measure(
    quants: Sequence[str], contexts: Sequence[int], layers: int | None, names: Sequence[str] = ()
) -> Iterator[Row]:
    """The grid, row by row; only models with one of ``names`` when any are given."""
    with tempfile.TemporaryDirectory() as folder:
        for label, variant in distinct().items():
            if names and not set(names) & set(label.split(", ")):
                continue
            for quant in quants:
                path = skeleton(Path(folder), variant, quant, layers)
                shape = shape_of(read_header(path))
                for load in loads(path, variant, shape, contexts):
                    yield Row(label, quant, load, predict(shape, load), buffers(load))
                once = Load(str(path), contexts[0], repack=True)
                if layers and shape.repackable_bytes and _fits(predict(shape, once)):
                    yield Row(label, quant, once, predict(shape, once), buffers(once))
                path.unlink()


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Errors of each quantity over all rows, then the worst of each model.

    With repacking the engine unmaps the repacked tensors at both ends of the file, which is not predicted: those loads
    have a row of their own.
    """
    plain, repacked = ([row for row in rows if row.load.repack is repack] for repack in (False, True))
    yield "| quantity | loads | median error | worst error | worst, MiB | target |\n|---|---|---|---|---|---|"
    yield from _line("weights", plain, "weights_bytes")
    yield from _line("memory-mapped weights next to repacked weights", repacked, "weights_bytes")
    yield from _line("repacked weights", repacked, "repack_bytes")
    yield from _line("key-value cache", rows, "kv_bytes")
    yield from _line("compute", rows, "compute_bytes")
    yield "\n| model | loads | longest context | worst error, MiB | repacked |\n|---|---|---|---|---|"
    for label in dict.fromkeys(row.names for row in rows):
        own = [row for row in rows if row.names == label]
        longest = max(row.load.context_tokens for row in own)
        worst = [_worst([row for row in own if row.load.repack is repack]) for repack in (False, True)]
        yield f"| {label} | {len(own)} | {longest:,} | {worst[0]} | {worst[1]} |"


def _line(name: str, rows: Sequence[Row], quantity: str) -> Iterator[str]:
    """One quantity over ``rows``; nothing without rows."""
    if rows:
        shares = [abs(row.error_share(quantity)) for row in rows]
        worst = max(abs(row.error_bytes(quantity)) for row in rows) / MIB
        median = statistics.median(shares)
        yield f"| {name} | {len(rows)} | {median:.3%} | {max(shares):.3%} | {worst:.2f} | ≤ 1 %, ≤ 1 MiB |"


def _worst(rows: Sequence[Row]) -> str:
    errors = [abs(row.error_bytes(quantity)) / MIB for row in rows for quantity in QUANTITIES]
    return f"{max(errors):.2f}" if errors else "-"


def main() -> None:
    """Measure and print."""
    parser = ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--layers", type=int, help="so many layers instead of all: cache and weights shrink with them")
    parser.add_argument("--contexts", type=int, nargs="+", default=list(CONTEXTS))
    parser.add_argument("--quants", nargs="+", default=list(QUANTS))
    parser.add_argument("--models", nargs="+", default=[], help="ids of the catalog (default: all)")
    options = parser.parse_args()
    rows = []
    for row in measure(options.quants, options.contexts, options.layers, options.models):
        rows.append(row)
        off = {name.removesuffix("_bytes"): round(row.error_bytes(name) / MIB, 2) for name in QUANTITIES}
        print(f"{row.names} {row.quant} {row.load} off by {off} MiB", file=sys.stderr, flush=True)
    for line in table(rows):
        print(line)


if __name__ == "__main__":
    main()
