"""How true the predicted speeds are: full-size files with random weights against what was predicted without them.

``python -m benchmarks.accuracy_speed`` times the engine on layers of Phi-4-mini and Phi-3-mini (a few of them, as
``phi recommend --calibrate`` does), predicts the whole model from that and from the bandwidth probe, then runs the
whole model, and prints a Markdown table. ``--held-out`` adds what was not looked at while the model of speed was made:
Q5_K_M, Q6_K, and decoding after 4096 tokens (with Q4_K_M). The files (3 to 4 GB each) are kept in a cache folder.
All of it takes more than half an hour: ``--models``, ``--quants`` and ``--keep FILE`` do it in parts.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import platformdirs

from phicli.bench.calibration.calibrate import calibrate
from phicli.bench.calibration.timing import Setting, timed_engine
from phicli.catalog.load import catalog
from phicli.engine.settings import EngineSettings
from phicli.fit.calibration import Calibration
from phicli.fit.memory import plan_memory
from phicli.fit.placement import Placement
from phicli.fit.shape import shape_of
from phicli.fit.speed import estimate, speed_model
from phicli.fit.types import Candidate, Speed
from phicli.gguf_file.header import read_header
from phicli.gguf_file.synthetic import PHI_3_MINI, PHI_4_MINI, write_synthetic
from phicli.hardware.machine import probe
from phicli.hardware.types import Machine

PROMPT_TOKENS = 512
CONTEXT_TOKENS = 4096
DEPTH_TOKENS = CONTEXT_TOKENS - 64
SHAPES = {"phi-4-mini": PHI_4_MINI, "phi-3-mini-4k": PHI_3_MINI}


@dataclass(frozen=True, slots=True)
class Case:
    """One full-size file and how it is loaded."""

    variant_id: str
    quant: str
    repack: bool = True

    def __str__(self) -> str:
        """For the table."""
        return f"{self.variant_id}:{self.quant}{'' if self.repack else ', not repacked'}"


@dataclass(frozen=True, slots=True)
class Measured:
    """Tokens a second of the whole file; the depth is None where it was not asked for."""

    decode_tps: float
    prefill_tps: float
    at_depth_tps: float | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Both predictions of a case, and what came out."""

    case: Case
    estimated: Speed
    calibrated: Speed
    measured: Measured


def cases(*, quick: bool, held_out: bool) -> tuple[Case, ...]:
    """What is run. Repacking concerns Q4_K_M alone: the other files have no weights that are repacked."""
    quants = ("Q4_K_M",) if quick else ("Q4_K_M", "Q8_0", *(("Q5_K_M", "Q6_K") if held_out else ()))
    repacked = [Case(variant, quant) for variant in SHAPES for quant in quants]
    return (*repacked, *(() if quick else (Case(variant, "Q4_K_M", repack=False) for variant in SHAPES)))


def full_size_file(variant_id: str, quant: str) -> Path:
    """The whole model with random weights, written on the first call."""
    folder = platformdirs.user_cache_path("phicli-benchmarks", appauthor=False)
    name = variant_id.removesuffix("-4k")
    path = folder / f"{name}-synthetic-{quant.lower()}-all-layers.gguf"
    if not path.exists():
        print(f"writing {path} …", file=sys.stderr)
        write_synthetic(path, SHAPES[variant_id], quant=quant)
    return path


def candidate_of(case: Case) -> Candidate:
    """The case as the speed model sees it before a download: the shape from a header of the same size."""
    variant = next(variant for variant in catalog().variants if variant.id == case.variant_id)
    shape = shape_of(read_header(full_size_file(case.variant_id, case.quant)))
    return Candidate(variant, case.quant, shape, "header")


def run_whole(case: Case, threads: int, *, runs: int, depth: bool) -> Measured:
    """Medians of ``runs`` of the whole file: 16 tokens decoded, a prompt read, and 16 tokens after a long one."""
    path = full_size_file(case.variant_id, case.quant)
    with timed_engine(
        path, Setting(EngineSettings(threads, repack=case.repack, gpu_layers=0)), CONTEXT_TOKENS
    ) as engine:
        engine.decode_ms(tokens=4)
        decode = statistics.median(engine.decode_ms(tokens=16) for _ in range(runs))
        prompts = max(runs // 2, 1)
        prompt = statistics.median(engine.prefill_ms(PROMPT_TOKENS, turn=turn) for turn in range(prompts))
        at_depth = None
        if depth:
            engine.decode_ms(DEPTH_TOKENS, tokens=4)
            at_depth = statistics.median(engine.decode_ms(DEPTH_TOKENS, tokens=16) for _ in range(runs))
    return Measured(1000 / decode, 1000 * PROMPT_TOKENS / prompt, None if at_depth is None else 1000 / at_depth)


def predict(case: Case, machine: Machine, calibrations: Sequence[Calibration]) -> tuple[Speed, Speed]:
    """The estimated and the calibrated grade."""
    candidate = candidate_of(case)
    memory = plan_memory(candidate.shape, EngineSettings(1, repack=case.repack), context_tokens=CONTEXT_TOKENS)
    placement = Placement(DEPTH_TOKENS, "f16", memory)
    graded = speed_model(machine, prompt_tokens=PROMPT_TOKENS, calibrations=calibrations)
    return estimate(candidate, machine, placement, prompt_tokens=PROMPT_TOKENS), graded(candidate, placement)


def outcomes(chosen: Sequence[Case], *, runs: int, held_out: bool) -> Iterator[Outcome]:
    """Case by case: calibrate, predict, then run the whole file."""
    cache = platformdirs.user_cache_path("phicli-benchmarks", appauthor=False)
    for case in chosen:
        machine = probe(cache=cache)
        threads = machine.cpu.physical_cores
        setting = Setting(EngineSettings(threads, repack=case.repack, gpu_layers=0))
        calibration = calibrate(candidate_of(case), machine.cpu, setting, folder=cache)
        print(f"{case}: {calibration}", file=sys.stderr, flush=True)
        estimated, calibrated = predict(case, machine, [calibration])
        assert calibrated.method == "calibrated"
        depth = held_out and case.quant == "Q4_K_M" and case.repack  # minutes each, and no matter of the weights
        yield Outcome(case, estimated, calibrated, run_whole(case, threads, runs=runs, depth=depth))


@dataclass(frozen=True, slots=True)
class Row:
    """What was looked at, and tokens a second: estimated, calibrated, measured."""

    case: str
    what: str
    estimated: float
    calibrated: float
    measured: float
    load: str

    def markdown(self) -> str:
        """A row of the table."""
        low, high = self.errors()
        shown = f"{self.measured:.2f} | {self.estimated:.2f} | {low:+.1%} | {self.calibrated:.2f} | {high:+.1%}"
        return f"| {self.case}, {self.what} | {shown} | {self.load} |"

    def errors(self) -> tuple[float, float]:
        """Of the estimate and of the calibration, relative."""
        return self.estimated / self.measured - 1, self.calibrated / self.measured - 1


def rows(outcome: Outcome) -> Iterator[Row]:
    """The rows of one case."""
    low, high, true = outcome.estimated, outcome.calibrated, outcome.measured

    def row(what: str, estimated: float, calibrated: float, measured: float) -> Row:
        return Row(str(outcome.case), what, estimated, calibrated, measured, load_average())

    yield row("decode", low.decode_tps, high.decode_tps, true.decode_tps)
    yield row(f"prefill of {PROMPT_TOKENS}", low.prefill_tps, high.prefill_tps, true.prefill_tps)
    if true.at_depth_tps is not None:
        yield row("decode at 4k", low.decode_at_context_tps, high.decode_at_context_tps, true.at_depth_tps)


def table(chosen: Sequence[Case], *, runs: int, held_out: bool, keep: Path | None) -> Iterator[str]:
    """The table, line by line: each row when it is known, then the errors over these and the rows kept before."""
    yield f"Load average {load_average()} at the start, medians of {runs}, tokens/s.\n"
    yield "| | measured | estimated | error | calibrated | error | load |\n|---|---|---|---|---|---|---|"
    found = []
    if keep is not None and keep.exists():
        found = [Row(**json.loads(line)) for line in keep.read_text(encoding="utf-8").splitlines()]
        yield from (row.markdown() for row in found)
    for outcome in outcomes(chosen, runs=runs, held_out=held_out):
        for row in rows(outcome):
            found.append(row)
            if keep is not None:
                with keep.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(row)) + "\n")
            yield row.markdown()
    yield from errors_table(found)


def errors_table(found: Sequence[Row]) -> Iterator[str]:
    """Median and 90th percentile of the absolute errors, for each thing that was looked at."""
    yield ""
    yield "| absolute error | estimated: median | 90th percentile | calibrated: median | 90th percentile |"
    yield "|---|---|---|---|---|"
    for what in dict.fromkeys(row.what for row in found):
        pairs = [row.errors() for row in found if row.what == what]
        sides = [sorted(abs(pair[side]) for pair in pairs) for side in (0, 1)]
        yield (
            f"| {what} ({len(pairs)}) | "
            + " | ".join(f"{statistics.median(side):.1%} | {percentile(side, 0.9):.1%}" for side in sides)
            + " |"
        )


def load_average() -> str:
    """Of the last minute, where the system tells it."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of ``values`` (sorted) that at least ``share`` of them do not exceed: no interpolation."""
    return values[max(math.ceil(share * len(values)) - 1, 0)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="Q4_K_M alone, medians of 3")
    parser.add_argument("--held-out", action="store_true", help="also Q5_K_M, Q6_K, and decoding at a depth of 4k")
    parser.add_argument("--models", nargs="*", choices=list(SHAPES), default=list(SHAPES), help="only these")
    parser.add_argument("--quants", nargs="*", default=[], help="only these")
    parser.add_argument("--keep", type=Path, help="a file of rows that were found before; the new models are added")
    options = parser.parse_args()
    chosen = [
        case
        for case in cases(quick=options.quick, held_out=options.held_out)
        if case.variant_id in options.models and (not options.quants or case.quant in options.quants)
    ]
    for line in table(chosen, runs=3 if options.quick else 5, held_out=options.held_out, keep=options.keep):
        print(line, flush=True)


if __name__ == "__main__":
    main()
