"""Predicted against resident: the memory of the engine's process after a prompt that fills the context.

Files with random weights (``phicli.gguf_file.synthetic``) are kept in a cache folder. Peaks are those that Linux keeps
for a process: all resident memory (``VmHWM``), and what is anonymous after the prompt (``RssAnon``; nothing is given
back before). The prediction holds for two processes; that of ``phi`` itself is added as it was measured once.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.settings import EngineSettings
from phicli.engine.types import LoadSettings, Sampling
from phicli.fit.memory import MIB, plan_memory
from phicli.fit.memory_sum import MemorySum
from phicli.fit.shape import shape_of
from phicli.gguf_file.header import read_header
from phicli.gguf_file.synthetic import PHI_3_MINI, PHI_4_MINI, write_synthetic
from phicli.hardware.cpu import physical_cores

SHAPES = {"phi-4-mini": PHI_4_MINI, "phi-3-mini": PHI_3_MINI}
_OWN_ANONYMOUS_BYTES, _OWN_BYTES = 22 * MIB, 36 * MIB
"""``RssAnon`` and ``VmHWM`` of ``phi chat tiny-phi hello``: the other process of the two that are predicted."""


@dataclass(frozen=True, slots=True)
class Row:
    """One run; ``anonymous_bytes`` and ``total_bytes`` are those of the engine's process."""

    what: str
    predicted: MemorySum
    anonymous_bytes: int
    total_bytes: int

    def markdown(self) -> str:
        """A row of the table, in MiB."""
        cells = []
        for expected, found in (
            (self.predicted.must_have_bytes, self.anonymous_bytes + _OWN_ANONYMOUS_BYTES),
            (self.predicted.resident_bytes, self.total_bytes + _OWN_BYTES),
        ):
            cells.append(f"{expected / MIB:,.0f} | {found / MIB:,.0f} | {expected / found - 1:+.1%}")
        return f"| {self.what} | {' | '.join(cells)} |"


def synthetic_file(name: str, quant: str, layers: int | None) -> Path:
    """The file with random weights, made on the first call."""
    folder = platformdirs.user_cache_path("phicli-benchmarks", appauthor=False)
    path = folder / f"{name}-synthetic-{quant.lower()}-{layers or 'all'}-layers.gguf"
    if not path.exists():
        print(f"writing {path} …", file=sys.stderr)
        write_synthetic(path, SHAPES[name], quant=quant, layers=layers)
    return path


def measure(path: Path, what: str, context_tokens: int, *, repack: bool) -> Row:
    """Load the file, read a prompt that leaves room for eight tokens, and look at the process."""
    shape = shape_of(read_header(path))
    settings = LoadSettings(path, context_tokens, EngineSettings(physical_cores(), repack=repack, gpu_layers=0))
    predicted = plan_memory(shape, settings.engine, context_tokens=context_tokens)
    engine = LlamaServerEngine(settings)
    try:
        prompt = [1000 + number % 20_000 for number in range(context_tokens - 8)]
        list(engine.generate(prompt, Sampling(max_tokens=4)))
        status = Path(f"/proc/{engine.pid}/status").read_text(encoding="ascii")
    finally:
        engine.close()
    kib = {name: int(value) for name, value in re.findall(r"^(\w+):\s+(\d+) kB", status, re.MULTILINE)}
    return Row(what, predicted, kib["RssAnon"] * 1024, kib["VmHWM"] * 1024)


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """The runs that were asked for."""
    for name, quant, context in itertools.product(options.models, options.quants, options.contexts):
        path = synthetic_file(name, quant, options.layers)
        for repack in (False, True):
            layers = f", {options.layers} layers" if options.layers else ""
            what = f"{name} {quant}{layers}, {context:,} tokens{', repacked' if repack else ''}"
            yield measure(path, what, context, repack=repack)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="Q4_K_M, 2048 tokens and eight layers")
    parser.add_argument("--layers", type=int, help="so many layers instead of all")
    parser.add_argument("--contexts", type=int, nargs="+", default=[4096, 8192])
    parser.add_argument("--quants", nargs="+", default=["Q4_K_M", "Q8_0"])
    parser.add_argument("--models", nargs="+", default=list(SHAPES), choices=SHAPES)
    options = parser.parse_args()
    if options.quick:
        options.layers, options.contexts, options.quants = options.layers or 8, [2048], ["Q4_K_M"]
    print(f"load average {os.getloadavg()[0]:.1f} at the start; MiB\n")
    print("| | anonymous, predicted | measured | error | all, predicted | measured | error |")
    print("|---|---|---|---|---|---|---|")
    for row in rows(options):
        print(row.markdown(), flush=True)


if __name__ == "__main__":
    main()
