"""What native kernels bring on this machine, and whether repacking pays with them.

``python -m benchmarks.kernels`` runs the kernels of the wheel and the native ones that ``phi engine build`` made
(``--module`` names others), each with and without repacking, on few layers of random weights in several quantizations.
The engines take turns, the first one changes with each round. Rates are tokens per CPU second times threads: what all
cores to itself would give, whatever else runs. Ratios are to the wheel without repacking in the same round, medians
with the middle half of them.

The constants in ``phicli/hardware/native_gains.py`` come from here.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.accuracy_resident import SHAPES, synthetic_file
from benchmarks.loaded import cpu_seconds
from phicli.engine.process import WorkerProcess
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.settings import EngineSettings
from phicli.engine.types import Done, LoadSettings, Sampling
from phicli.engine.used_kernels import installed_kernels
from phicli.hardware.cpu import physical_cores

QUANTS = ("Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16")
REPACKED = ("Q4_K_M",)
"""Quantizations in which repacking moves something on x86, of those that can be written with random weights."""
_FIRST_TOKEN, _TOKENS = 1000, 20_000


@dataclass(frozen=True, slots=True)
class Side:
    """An engine of a series: which kernels, repacked or not. The first side is what the others are compared with."""

    module: Path | None
    repack: bool

    @property
    def name(self) -> str:
        """For the table."""
        return f"{'native' if self.module else 'wheel'}{', repacked' if self.repack else ''}"


@dataclass(frozen=True, slots=True)
class Rates:
    """Tokens per CPU second times threads."""

    prompt: float
    decode: float


class Running:
    """An engine with a file loaded, warmed up."""

    def __init__(self, path: Path, side: Side, context_tokens: int, threads: int) -> None:
        settings = LoadSettings(path, context_tokens, EngineSettings(threads, repack=side.repack, gpu_layers=0))
        process = WorkerProcess(kernels=side.module)
        process.load(settings)
        self._engine, self._threads = LlamaServerEngine(settings, process=process), threads
        self.take(1, 32, 4)
        if side.module is not None and process.kernels is None:
            raise SystemExit(f"the module is not used: {process.kernels_failed}")

    def take(self, turn: int, prompt_tokens: int, generated: int) -> Rates:
        """Process a prompt that the cache does not have, then generate after it."""
        prompt = [_FIRST_TOKEN + (turn * 7919 + number * 31) % _TOKENS for number in range(prompt_tokens)]
        before = cpu_seconds(self._engine.pid)
        self._generate(prompt, 1)
        middle = cpu_seconds(self._engine.pid)
        count = self._generate(prompt, generated)
        after = cpu_seconds(self._engine.pid)
        return Rates(prompt_tokens * self._threads / (middle - before), count * self._threads / (after - middle))

    def close(self) -> None:
        """End the engine."""
        self._engine.close()

    def _generate(self, prompt: Sequence[int], most: int) -> int:
        *_, done = self._engine.generate(prompt, Sampling(max_tokens=most, ignore_eos=True))
        assert isinstance(done, Done)
        return done.usage.completion_tokens


def series(path: Path, sides: Sequence[Side], prompt: int, options: argparse.Namespace) -> list[list[Rates]]:
    """The rates of each side in each round, with prompts of so many tokens."""
    threads = physical_cores()
    with contextlib.ExitStack() as stack:
        context_tokens = prompt + options.generate + 8
        engines: list[Running] = []
        for side in sides:
            engines.append(Running(path, side, context_tokens, threads))
            stack.callback(engines[-1].close)
        found: list[list[Rates]] = [[] for _ in sides]
        for turn in range(options.rounds):
            for at in range(len(sides)):
                index = (at + turn) % len(sides)
                found[index].append(engines[index].take(turn + 2, prompt, options.generate))
    return found


def spread(values: Sequence[float]) -> str:
    """Median and the middle half."""
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else (values[0],) * 3
    return f"**{middle:.2f}** ({low:.2f} to {high:.2f})"


def rows(name: str, sides: Sequence[Side], found: Sequence[Sequence[Rates]]) -> Iterator[str]:
    """A row for each side."""
    for side, rates in zip(sides, found, strict=True):
        prompt = spread([one.prompt / first.prompt for one, first in zip(rates, found[0], strict=True)])
        decode = spread([one.decode / first.decode for one, first in zip(rates, found[0], strict=True)])
        speeds = (statistics.median(one.prompt for one in rates), statistics.median(one.decode for one in rates))
        yield f"| {name} | {side.name} | {speeds[0]:.1f} | {speeds[1]:.1f} | {prompt} | {decode} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--module", type=Path, help="the CPU module; that of phi engine build when not given")
    parser.add_argument("--models", nargs="+", default=["phi-3-mini"], choices=SHAPES)
    parser.add_argument("--quants", nargs="+", default=list(QUANTS), choices=QUANTS)
    parser.add_argument("--layers", type=int, default=4, help="of each file; 0 for all (default 4)")
    parser.add_argument("--rounds", type=int, default=7, help="of each series (default 7)")
    parser.add_argument("--prompts", type=int, nargs="+", default=[64, 1024], help="tokens of a prompt (64 and 1024)")
    parser.add_argument("--generate", type=int, default=48, help="tokens of an answer (default 48)")
    parser.add_argument("--plain", action="store_true", help="nothing repacked")
    options = parser.parse_args()
    module = options.module or installed_kernels().path
    if module is None:
        sys.exit(f"{installed_kernels().reason}: phi engine build")
    print(f"load average {os.getloadavg()[0]:.1f} at the start; {options.rounds} rounds\n")
    print("| file, prompt tokens | kernels | prompt | generation | prompt ratio | generation ratio |")
    print("|---|---|---|---|---|---|")
    for model in options.models:
        for quant in options.quants:
            path = synthetic_file(model, quant, options.layers or None)
            moves = (False, True) if quant in REPACKED and not options.plain else (False,)
            sides = [Side(kernels, repack) for kernels in (None, module.absolute()) for repack in moves]
            for prompt in options.prompts:
                for row in rows(f"{model} {quant}, {prompt}", sides, series(path, sides, prompt, options)):
                    print(row, flush=True)


if __name__ == "__main__":
    main()
