"""From what was typed to a recommendation, and everything about it that is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from phicli.catalog.load import catalog
from phicli.catalog.types import Catalog, Variant
from phicli.fit.assessing import SpeedOf
from phicli.fit.contexts import planned_context
from phicli.fit.memory import padded_context, usable_bytes
from phicli.fit.placement import gpu_budget_bytes
from phicli.fit.quality import SPOILT_POINTS, grade, kv_loss, quantisation_loss, thinking_ratio
from phicli.fit.ranking import Ranking
from phicli.fit.recommend import best_quant_for, every_quant_of, ranking_for, recommend
from phicli.fit.requirements import check_request
from phicli.fit.tasks import Task
from phicli.fit.types import Assessment, Candidate, Recommendation, Rejection, Request
from phicli.fit.worth import Worth, useful_tps
from phicli.hardware.native_gains import head_note, kernels_note
from phicli.hardware.notes import machine_notes
from phicli.hardware.types import Machine

__all__ = [
    "Machine", "OnThisMachine", "QuantHere", "Report", "disadvantage", "make_report", "quants_here",
    "recommended_quant", "sums_of", "usable_sum",
]  # fmt: skip

_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "quality": "lower quality",
        "loss": "coarser",
        "wait": "slower",
        "size": "larger",
        "tight": "fuller",
        "split": "shared with the processor",
        "unusual": "unusual",
        "short": "shorter context",
    }
)
"""What a candidate costs → how it is against the best."""

_LEAST_LOSS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Sum:
    """How a number came about: ``label`` is what of, ``text`` the sum in words and figures."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """A recommendation and what it was made for.

    ``usable_bytes`` of main memory may be planned with, None if it is not reported; ``gpu_usable_bytes`` are
    those of the graphics processors that the engine can use. ``ranking`` is how candidates were compared, ``notes`` are
    what else there is to know of the machine.
    """

    machine: Machine
    request: Request
    task: Task
    found: Recommendation
    usable_bytes: int | None
    gpu_usable_bytes: int
    ranking: Ranking
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QuantHere:
    """One quantization of a model on a machine: ``rejection`` says why it does not fit.

    ``fits`` is None if the memory is unknown. ``takes`` marks what ``phi pull`` takes.
    """

    assessment: Assessment
    rejection: Rejection | None
    fits: bool | None
    takes: bool = False


@dataclass(frozen=True, slots=True)
class OnThisMachine:
    """What a model takes on a machine with a context of ``context_tokens``; the most useful of ``rows`` first.

    ``usable_bytes`` and ``gpu_usable_bytes`` are as in :class:`Report`.
    """

    machine: Machine
    usable_bytes: int | None
    gpu_usable_bytes: int
    context_tokens: int
    rows: tuple[QuantHere, ...]

    @property
    def kernels_note(self) -> str:
        """One line on what to do about the kernels; empty if nothing is to be done, or a GPU runs the whole model."""
        fitting = [row.assessment for row in self.rows if row.rejection is None]
        if all(map(_is_on_gpu, fitting)):
            return ""
        kernels = self.machine.kernels
        return kernels_note(kernels) or head_note(kernels, fitting[0].candidate.shape.key_length)


def make_report(
    machine: Machine,
    request: Request,
    candidates: Sequence[Candidate],
    speed_of: SpeedOf,
    *,
    book: Catalog | None = None,
) -> Report:
    """The recommendation for ``machine``.

    Args:
        machine: what there is.
        request: what is wanted.
        candidates: the files that could run.
        speed_of: the speed model with what was measured before.
        book: the catalog; by default the one that ships.

    Raises:
        UsageError: the request makes no sense, or a filter excludes everything.
        UnsupportedModelError: no engine here can do the task.
        DoesNotFitError: nothing fits.
    """
    task = check_request(request)
    book = book or catalog()
    found = recommend(book, candidates, machine, request, speed_of)
    usable = None if machine.memory is None else usable_bytes(machine.memory)
    budget, ranking = gpu_budget_bytes(machine.gpus), ranking_for(task, book)
    on_gpu = all(_is_on_gpu(pick.assessment) for pick in found.picks)
    notes = machine_notes(machine, on_gpu=on_gpu)
    return Report(machine, request, task, found, usable, budget, ranking, notes)


def recommended_quant(
    variant: Variant, machine: Machine, candidates: Sequence[Candidate], speed_of: SpeedOf
) -> str | None:
    """The quantization of ``variant`` to download for ``machine``; None when none of those known fits."""
    best = best_quant_for(variant, catalog(), candidates, machine, speed_of)
    return None if best is None else best.candidate.quant


def quants_here(
    variant: Variant, machine: Machine, candidates: Sequence[Candidate], speed_of: SpeedOf, *, takes: str | None = None
) -> OnThisMachine:
    """Every quantization of ``variant`` among ``candidates`` on ``machine``, for general use.

    Args:
        variant: the model.
        machine: what there is.
        candidates: its files.
        speed_of: the speed model.
        takes: the quantization that ``phi pull`` takes; it is marked, and comes first where it fits.
    """
    usable = None if machine.memory is None else usable_bytes(machine.memory)
    rows = []
    for one, rejection in every_quant_of(variant, catalog(), candidates, machine, speed_of):
        known = usable is not None or _is_on_gpu(one)
        fits = rejection is None if known else None
        rows.append(QuantHere(one, rejection, fits, takes=one.candidate.quant == takes))
    rows.sort(key=lambda row: not (row.takes and row.rejection is None))
    task = check_request(Request())
    context = planned_context(variant, Request(), task)
    return OnThisMachine(machine, usable, gpu_budget_bytes(machine.gpus), context, tuple(rows))


def _is_on_gpu(one: Assessment) -> bool:
    """Whether a GPU has all of it."""
    return one.gpu_layers > one.candidate.shape.layers


def sums_of(one: Assessment, report: Report, *, book: Catalog | None = None) -> tuple[Sum, ...]:
    """How the numbers of ``one`` came about."""
    return (
        _memory_sum(one, report),
        _speed_sum(one, report.ranking),
        _quality_sum(one, report.task, book or catalog()),
        _worth_sum(report.ranking.worth(one)),
    )


def disadvantage(one: Assessment, report: Report) -> str:
    """In a word what ``one``, which is not picked, costs most against the best pick."""
    if quantisation_loss(one.candidate.quant) >= SPOILT_POINTS:
        return "ruined by its quantization"
    mine, best = report.ranking.worth(one), report.ranking.worth(report.found.picks[0].assessment)
    losses = {name: cost - best.costs[name] for name, cost in mine.costs.items()}
    losses["quality"] = best.quality - mine.quality
    worst = max(losses, key=lambda name: losses[name])
    return _WORDS[worst] if losses[worst] >= _LEAST_LOSS else "about as good"


def usable_sum(report: Report) -> Sum | None:
    """How the memory that is planned with came about; None where the machine does not tell its memory."""
    memory = report.machine.memory
    if memory is None or report.usable_bytes is None:
        return None
    reserved = memory.available_bytes - report.usable_bytes
    source = report.machine.sources.get("memory", memory.source)
    text = f"{memory.available_bytes:,} available ({source}) - {reserved:,} reserved for the system"
    return Sum("usable", f"{text} = {report.usable_bytes:,} bytes; file cache that the system gives back is available")


def _memory_sum(one: Assessment, report: Report) -> Sum:
    memory, shape = one.memory, one.candidate.shape
    tokens = padded_context(one.context_tokens)
    source = {
        "header": "from the file",
        "published": "the published size",
        "recipe": "calculated from the quantization",
    }
    parts = [f"weights {shape.weights_bytes:,} ({source[one.candidate.size_source]})"]
    copied = memory.weights_bytes - shape.weights_bytes
    parts += [f"+ copy of the output matrix on the GPU {copied:,}"] if copied else []
    parts += [
        f"+ KV cache {memory.kv_bytes:,} ({tokens:,} tokens of {memory.kv_bytes / tokens:,.0f} bytes as {one.kv_type},"
        f" {shape.layers} layers)",
        f"+ compute {memory.compute_bytes:,}",
    ]
    parts += [f"+ engine {memory.overhead_bytes:,}", f"= {memory.total_bytes:,} bytes"]
    usable = "" if report.usable_bytes is None else f" of {report.usable_bytes:,} usable"
    if one.gpu_layers == 0:
        return Sum("memory", " ".join(parts) + usable)
    parts.append(
        f"= {memory.gpu_bytes:,} on the GPU (weights {memory.gpu_weights_bytes:,} + KV cache {memory.gpu_kv_bytes:,}"
        f" + compute {memory.gpu_compute_bytes:,}) of {report.gpu_usable_bytes:,} usable there"
    )
    return Sum("memory", " ".join([*parts, f"+ {memory.resident_bytes:,} in main memory{usable}"]))


def _speed_sum(one: Assessment, ranking: Ranking) -> Sum:
    speed, task = one.speed, ranking.task
    text = f"{speed.decode_tps:.1f} tokens/s at the start, {speed.decode_at_context_tps:.1f} with a full context"
    ratio = thinking_ratio(one.candidate.variant, task)
    if ratio:
        text += f"; {useful_tps(one, task):.1f} for the answer, at {ratio:g} reasoning tokens per answer token"
    return Sum("speed", f"{text}; {speed.grade}; the target for {task.label} is {ranking.target_tps:g}")


def _quality_sum(one: Assessment, task: Task, book: Catalog) -> Sum:
    variant, quant = one.candidate.variant, one.candidate.quant
    graded = grade(variant, task, book.variants)
    if graded is None:
        return Sum("quality", f"not ranked for {task.purpose}")
    about = "" if graded.published else "about "
    text = f"{about}{graded.points:.2f} ({graded.because}) - {quantisation_loss(quant):.2f} ({quant})"
    if kv_loss(one.kv_type):
        text += f" - {kv_loss(one.kv_type):.2f} ({one.kv_type} cache)"
    return Sum("quality", f"{text} = {about}{one.quality:.2f} points of {task.benchmark}")


def _worth_sum(worth: Worth) -> Sum:
    """What the candidate is compared by: quality in steps of the family, less what it costs to use it."""
    text = " ".join([f"quality {worth.quality:.1f}", *(f"- {name} {cost:.1f}" for name, cost in worth.costs.items())])
    here = f" + here {worth.here:.1f}" if worth.here else ""
    return Sum("worth", f"{text}{here} = {worth.points:.1f} points")
