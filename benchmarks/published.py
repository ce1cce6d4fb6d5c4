"""How true the estimated speeds are on machines of others: published figures of llama.cpp against the estimate.

``python -m benchmarks.published`` reads ``benchmarks/published.toml``, predicts each figure for a simulated machine of
the same facts, and prints Markdown for ``docs/accuracy.md``: the constants of the model of speed, the errors of each
class of machines, and every figure. Nothing is measured.

Each constant is the median of what the figures imply. In the leave-one-out errors all figures of a chip are predicted
with the constants that the other chips of its class imply.
"""

from __future__ import annotations

import math
import statistics
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from phicli.catalog.types import Dimensions, Variant
from phicli.fit import estimate
from phicli.fit.costs import Costs
from phicli.fit.gpu_kinds import kind_of
from phicli.fit.memory_sum import MemorySum
from phicli.fit.placement import Placement
from phicli.fit.shape import ModelShape
from phicli.fit.types import Candidate
from phicli.fit.work import work_of
from phicli.hardware.flops import estimated_flops
from phicli.hardware.types import Bandwidth, Cpu, Gpu, Machine

FILE = Path(__file__).with_name("published.toml")
CLASSES = {"cpu": "processors", "apple": "Apple GPUs", "nvidia": "NVIDIA GPUs", "amd": "AMD GPUs"}
_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Figure:
    """One published line: a model on a machine; speeds in tokens per second, None where none was published.

    ``tg_tokens`` were generated and ``pp_tokens`` read, both from an empty context.
    """

    chip: str
    group: str
    machine: Machine
    candidate: Candidate
    decode_tps: float | None
    prefill_tps: float | None
    tg_tokens: int
    pp_tokens: int
    source: str

    @property
    def on_gpu(self) -> bool:
        """Whether the whole model is on the GPU."""
        return bool(self.machine.gpus)

    @property
    def costs(self) -> Costs:
        """What the estimate says. On a processor weights of four bits are repacked, as llama-bench does."""
        repacked = 1 if not self.on_gpu and self.candidate.quant.startswith("Q4") else 0
        placement = Placement(4096, "f16", MemorySum(0, 0, 0, repacked, 0), gpu_layers=-1 if self.on_gpu else 0)
        return estimate.estimated_costs(self.candidate, self.machine, placement)

    def decode_ms(self) -> float:
        """Predicted, with half of the generated tokens in the context."""
        return self.costs.decode_ms(self.tg_tokens // 2)

    def prefill_ms(self) -> float:
        """Predicted, for a token of the prompt."""
        return self.costs.prompt_ms(self.pp_tokens) / self.pp_tokens


@dataclass(frozen=True, slots=True)
class Errors:
    """Relative errors of predicted speeds: with the constants of the code, and leaving one chip out."""

    shipped: tuple[float, ...]
    left_out: tuple[float, ...]


def figures(path: Path = FILE) -> tuple[Figure, ...]:
    """All that ``path`` lists."""
    data = tomllib.loads(path.read_text("utf-8"))
    return tuple(
        Figure(
            chip=machine["chip"],
            group=machine["class"],
            machine=_machine(machine),
            candidate=_candidate(row["model"], data["models"][row["model"]], row["quant"]),
            decode_tps=row.get("tg"),
            prefill_tps=row.get("pp"),
            tg_tokens=row.get("tg_tokens", 128),
            pp_tokens=row.get("pp_tokens", 512),
            source=machine["source"],
        )
        for machine in data["machine"]
        for row in machine["rows"]
    )


def _machine(facts: Mapping[str, Any]) -> Machine:
    rate = facts["gb_per_s"] * 1e9
    if facts["class"] == "cpu":  # its engine was built for it
        clock, sets = facts["clock_ghz"] * 1e9, tuple(facts["instruction_sets"])
        cpu = Cpu(facts["chip"], facts["cores"], facts["cores"], sets, clock_hz=clock)
        return Machine(
            None, cpu, bandwidth=Bandwidth(rate * facts["fraction"], estimated_flops(cpu, native=True)[0], "profile")
        )
    unified = facts["class"] == "apple" or facts.get("unified", False)
    gpu = Gpu(facts["chip"], facts["backend"], None, None, True, "", unified=unified, bandwidth_bytes_per_s=rate)
    return Machine(None, Cpu("", 1, 1), gpus=(gpu,))


def _candidate(name: str, facts: Mapping[str, Any], quant: str) -> Candidate:
    dims = Dimensions(**{key: value for key, value in facts.items() if key != "sizes"})
    size = int(facts["sizes"][quant] * _GIB)
    shape = ModelShape(
        size, 0, dims.layers, dims.hidden, dims.feed_forward or 0, dims.heads, dims.kv_heads * dims.layers,
        dims.head_size, dims.head_size, dims.vocabulary, 4096,
    )  # fmt: skip
    variant = Variant(name, name, name, 0, 4096, "", "", architecture="llama", dimensions=dims)
    return Candidate(variant, quant, shape, "published")


def decode_errors(group: Sequence[Figure]) -> Errors:
    """Of the figures of one class."""
    known = [one for one in group if one.decode_tps]
    if not known[0].on_gpu:
        return _proportional(known, lambda one: one.decode_tps or 0.0, Figure.decode_ms, lambda one: one.group)
    shipped = [1000 / one.decode_ms() / (one.decode_tps or 1) - 1 for one in known]
    left_out = []
    for one in known:
        layer_ms = statistics.median(implied_layer_ms(other) for other in known if other.chip != one.chip)
        time = _read_ms(one) + one.candidate.shape.layers * layer_ms
        left_out.append(1000 / time / (one.decode_tps or 1) - 1)
    return Errors(tuple(shipped), tuple(left_out))


def prefill_errors(group: Sequence[Figure]) -> Errors:
    """Of the figures of one class; each kind has its constant."""
    known = [one for one in group if one.prefill_tps]
    return _proportional(known, lambda one: one.prefill_tps or 0.0, Figure.prefill_ms, kind_label)


def _proportional(
    known: Sequence[Figure],
    measured: Callable[[Figure], float],
    predicted_ms: Callable[[Figure], float],
    kind: Callable[[Figure], str],
) -> Errors:
    """Where the speed is in proportion to the constant: without a chip the constant is as much higher as the median.

    A kind of which there is one chip keeps the constant of the code: nothing else is known of it.
    """
    ratios = {id(one): measured(one) * predicted_ms(one) / 1000 for one in known}
    left_out = []
    for one in known:
        others = [ratios[id(other)] for other in known if other.chip != one.chip and kind(other) == kind(one)]
        left_out.append((statistics.median(others) if others else 1.0) / ratios[id(one)] - 1)
    return Errors(tuple(1 / ratio - 1 for ratio in ratios.values()), tuple(left_out))


def kind_label(figure: Figure) -> str:
    """The kind whose constant is used: of the GPU, or ARM and x86."""
    if figure.on_gpu:
        return kind_of(figure.machine.gpus[0]).label
    return "ARM" if "NEON" in figure.machine.cpu.instruction_sets else "x86"


def _read_ms(figure: Figure) -> float:
    """Reading the weights and the cache on the GPU."""
    kind = replace(kind_of(figure.machine.gpus[0]), layer_ms=0.0)
    costs = estimate.gpu_costs(work_of(figure.candidate), kind, figure.machine.gpus[0].bandwidth_bytes_per_s)
    return costs.decode_ms(figure.tg_tokens // 2)


def implied_layer_ms(figure: Figure) -> float:
    """What is left of the published time of a token for each layer."""
    return (1000 / (figure.decode_tps or 1) - _read_ms(figure)) / figure.candidate.shape.layers


def constants(all_figures: Sequence[Figure]) -> Iterator[tuple[str, float, float]]:
    """Name, what the figures imply, and the value in the code."""
    for name, title in CLASSES.items():
        group = [one for one in all_figures if one.group == name]
        read = [one for one in group if one.decode_tps]
        if name == "cpu":
            ratio = statistics.median((one.decode_tps or 0) * one.decode_ms() / 1000 for one in read)
            yield "READ_SHARE of a processor", estimate.READ_SHARE * ratio, estimate.READ_SHARE
        else:
            kind = kind_of(read[0].machine.gpus[0])
            yield f"layer_ms, {title}", statistics.median(map(implied_layer_ms, read)), kind.layer_ms
        prompts = [one for one in group if one.prefill_tps]
        for label in dict.fromkeys(map(kind_label, prompts)):
            own = [one for one in prompts if kind_label(one) == label]
            ratio = statistics.median((one.prefill_tps or 0) * one.prefill_ms() / 1000 for one in own)
            if own[0].on_gpu:
                value, what = kind_of(own[0].machine.gpus[0]).flops_per_byte, f"flops_per_byte, {label}"
            else:
                value, what = estimate.sustained_share(own[0].machine.cpu), f"SUSTAINED_SHARE, {label}"
            yield what, value * ratio, value


def covered(group: Sequence[Figure], *, prefill: bool = False) -> float:
    """The share of the published speeds of ``group`` that lie in the predicted range, which is that of decoding."""
    inside = []
    for one in group:
        measured = one.prefill_tps if prefill else one.decode_tps
        if measured:
            time, costs = one.prefill_ms() if prefill else one.decode_ms(), one.costs
            shortest = time * (1 - costs.error) if prefill else costs.shortest_ms(one.tg_tokens // 2)
            inside.append(1000 / (time * (1 + costs.error)) <= measured <= 1000 / shortest)
    return statistics.fmean(inside)


def percentile_90(errors: Sequence[float]) -> float:
    """The 90th percentile of the absolute errors: the smallest that nine of ten do not exceed."""
    ordered = sorted(map(abs, errors))
    return ordered[math.ceil(0.9 * len(ordered)) - 1]


def summary(name: str, group: Sequence[Figure]) -> Iterator[str]:
    """The two rows of a class."""
    for what, errors in (("decode", decode_errors(group)), ("prefill", prefill_errors(group))):
        cells = [f"{statistics.median(map(abs, each)):.0%} | {percentile_90(each):.0%}" for each in
                 (errors.shipped, errors.left_out)]  # fmt: skip
        inside = covered(group, prefill=what == "prefill")
        yield f"| {CLASSES[name]}, {what} | {len(errors.shipped)} | {' | '.join(cells)} | {inside:.0%} |"


def line(figure: Figure) -> str:
    """A figure and its prediction, as a row."""
    cells = [figure.chip, f"{figure.candidate.variant.id} {figure.candidate.quant}"]
    for measured, time in ((figure.decode_tps, figure.decode_ms()), (figure.prefill_tps, figure.prefill_ms())):
        predicted = 1000 / time
        cells += (
            [f"{measured:.5g}", f"{predicted:.3g}", f"{predicted / measured - 1:+.0%}"] if measured else ["", "", ""]
        )
    return f"| {' | '.join([*cells, figure.source])} |"


def main() -> None:
    """Print the tables."""
    found = figures()
    print("| | figures | median error | 90th percentile | median, chip left out | 90th percentile | in the range |")
    print("|---|---|---|---|---|---|---|")
    for name in CLASSES:
        print("\n".join(summary(name, [one for one in found if one.group == name])))
    print("\n| constant | from the figures | in the code |\n|---|---|---|")
    for what, implied, value in constants(found):
        print(f"| {what} | {implied:.3g} | {value:.3g} |")
    print("\n| chip | model | decode | predicted | error | prefill | predicted | error | source |")
    print("|---|---|---|---|---|---|---|---|---|")
    print("\n".join(map(line, found)))


if __name__ == "__main__":
    main()
