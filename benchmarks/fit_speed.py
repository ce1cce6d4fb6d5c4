"""What the constants of the estimated speed are on this machine.

``python -m benchmarks.fit_speed`` times the engine on layers of Phi-4-mini and Phi-3-mini in Q4_K_M, Q8_0 and F16,
divides by what the probes say of the machine, and prints the constants of ``phicli/fit/estimate.py`` as they would be
here. Q5_K_M and Q6_K are left out on purpose: ``benchmarks/accuracy_speed.py`` holds them back.
Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import platformdirs

from benchmarks.accuracy_speed import SHAPES, load_average
from phicli.bench.calibration.calibrate import calibrate, synthetic_shape
from phicli.bench.calibration.timing import Setting
from phicli.catalog.load import catalog
from phicli.engine.settings import EngineSettings
from phicli.fit import estimate
from phicli.fit.calibration import Calibration
from phicli.fit.types import Candidate
from phicli.hardware.flops import USUAL_CLOCK_HZ
from phicli.hardware.machine import probe
from phicli.hardware.types import Bandwidth
from phicli.plan.candidates import expected_shape

SERIES = (("Q4_K_M", False), ("Q4_K_M", True), ("Q8_0", False), ("F16", False))


@dataclass(frozen=True, slots=True)
class Point:
    """One calibration, what the probes said just before it, and the bytes of its cache: a layer's, for one token."""

    variant_id: str
    calibration: Calibration
    probed: Bandwidth
    cycles: float
    kv_bytes: float

    @property
    def flops(self) -> float:
        """What the processor is said to compute a second."""
        assert self.probed.flops is not None
        return self.probed.flops

    @property
    def bytes_per_s(self) -> float:
        """At which the weights of a layer went through."""
        return 1000 * self.calibration.layer_bytes / self.calibration.ms_per_layer

    def read_share(self) -> float:
        """Of the probe, as if reading were all."""
        return self.bytes_per_s / self.probed.bytes_per_s

    def prefill_share(self) -> float:
        """Of the operations a second."""
        return 2000 * self.calibration.layer_parameters / self.calibration.prefill_ms / self.flops

    def core_bytes_per_cycle(self) -> float:
        """Of weights, into each core."""
        return self.bytes_per_s / self.cycles

    def cache_cycles_per_byte(self) -> float:
        """Cycles of a core that a byte of the cache takes in decoding."""
        return self.calibration.attention_ms * self.cycles / (1000 * self.kv_bytes)

    def prefill_attention_times(self) -> float:
        """How many times longer attention takes in prefill than at the full rate."""
        return self.calibration.prefill_attention_ms * self.flops / (1000 * self.calibration.attention_flops)

    def markdown(self) -> str:
        """A row of the table."""
        one = self.calibration
        name = f"{self.variant_id}:{one.quant}{', repacked' if one.conditions.repack else ''}"
        return (
            f"| {name} | {one.ms_per_layer:.3f} | {one.ms_fixed:.2f} | {self.bytes_per_s / 1e9:.1f} "
            f"| {self.probed.bytes_per_s / 1e9:.1f} | {self.read_share():.0%} "
            f"| {one.prefill_ms:.3f} | {1000 * one.attention_ms:.2f} | {1000 * one.prefill_attention_ms:.2f} "
            f"| {one.spread:.0%} | {load_average()} |"
        )


def candidate(variant_id: str, quant: str) -> Candidate:
    """A candidate with the sizes that the catalog expects."""
    variant = next(variant for variant in catalog().variants if variant.id == variant_id)
    expected = expected_shape(variant, quant)
    assert expected is not None
    return Candidate(variant, quant, *expected)


def points(runs: int) -> Iterator[Point]:
    """Every series of every shape, ``runs`` times."""
    cache = platformdirs.user_cache_path("phicli-benchmarks", appauthor=False)
    for _ in range(runs):
        for variant_id in SHAPES:
            for quant, repack in SERIES:
                machine = probe(cache=cache)
                assert machine.bandwidth is not None
                one = candidate(variant_id, quant)
                written = synthetic_shape(one)
                setting = Setting(EngineSettings(machine.cpu.physical_cores, repack=repack, gpu_layers=0))
                found = calibrate(one, machine.cpu, setting, folder=cache)
                kv_bytes = written.kv_heads * written.head_length * 2 * 2
                clock = machine.cpu.clock_hz or USUAL_CLOCK_HZ
                yield Point(variant_id, found, machine.bandwidth, machine.cpu.physical_cores * clock, kv_bytes)


def constants(found: Sequence[Point]) -> Iterator[tuple[str, float, float]]:
    """Name, value here, and value in the code; medians over the points that have a say in it."""

    def median(value: Callable[[Point], float], quant: str = "", repack: bool | None = None) -> float:
        chosen = [
            point
            for point in found
            if point.calibration.quant.startswith(quant) and repack in (None, point.calibration.conditions.repack)
        ]
        return statistics.median(map(value, chosen))

    yield "READ_SHARE, if nothing else were in the way", median(Point.read_share), estimate.READ_SHARE
    core, prefill = estimate.CORE_BYTES_PER_CYCLE, estimate.PREFILL_SHARE
    quantized = [point.core_bytes_per_cycle() for point in found if point.calibration.quant != "F16"]
    yield "CORE_BYTES_PER_CYCLE", statistics.median(quantized), core[""]
    yield "CORE_BYTES_PER_CYCLE, F16", median(Point.core_bytes_per_cycle, "F16"), core["F"]
    yield "PREFILL_SHARE, Q4", median(Point.prefill_share, "Q4", repack=False), prefill[""]
    yield "PREFILL_SHARE, Q4 repacked", median(Point.prefill_share, "Q4", repack=True), prefill["repacked"]
    yield "PREFILL_SHARE, Q8", median(Point.prefill_share, "Q8"), prefill["Q8"]
    yield "PREFILL_SHARE, F16", median(Point.prefill_share, "F16"), prefill["F"]
    yield "CACHE_BYTES_PER_CYCLE", 1 / median(Point.cache_cycles_per_byte), estimate.CACHE_BYTES_PER_CYCLE
    # a time that noise made zero would be an infinite rate: so the times are averaged, not the rates
    times = statistics.fmean(point.prefill_attention_times() for point in found)
    yield "PREFILL_ATTENTION_SHARE", 1 / times, estimate.PREFILL_ATTENTION_SHARE


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--runs", type=int, default=3, help="calibrations of each kind (default 3)")
    options = parser.parse_args()
    print(f"Load average {load_average()} at the start.\n")
    print(
        "| | ms a layer | ms fixed | GB/s | probe | share | prefill ms | attention µs | prefill µs | spread | load |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|"
    )
    found = []
    for point in points(options.runs):
        found.append(point)
        print(point.markdown(), flush=True)
    print("\n| constant | here | in the code |\n|---|---|---|")
    for name, here, there in constants(found):
        print(f"| {name} | {here:.3f} | {there:.3f} |")


if __name__ == "__main__":
    main()
