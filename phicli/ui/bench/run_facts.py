"""Facts about the runs of one benchmark: which they have in common, and which differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phicli.catalog.display_name import name_of, with_adapters
from phicli.engine.settings import FIELDS, NO_SPECULATION, Field, value_text
from phicli.records.run import Run
from phicli.records.workload_texts import TEXTS
from phicli.units import counted


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that is known of each run: ``cell`` in a column titled ``title``, ``phrase`` in a sentence."""

    title: str
    cell: Callable[[Run], str]
    phrase: Callable[[Run], str]
    right: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """How to tell runs apart: ``labels`` has the name of each run's model, ``varying`` what differs, ``machine`` and
    ``conditions`` what is common, in words."""

    labels: tuple[str, ...]
    varying: tuple[Fact, ...]
    machine: tuple[str, ...]
    conditions: tuple[str, ...]

    def setting(self, run: Run) -> str:
        """What differs, in words: ``2 threads, repack on``; how often it was measured only where it was interrupted."""
        phrases = [phrase for fact in self.varying if fact is not REPEATS and (phrase := fact.phrase(run))]
        return ", ".join(phrases if run.complete else [*phrases, f"interrupted after {len(run.samples)}"])


def shape_of(runs: Sequence[Run]) -> Shape:
    """What ``runs`` (at least one) have in common and what not."""
    differing = {fact.title for fact in FACTS if len({fact.cell(run) for run in runs}) > 1}
    common = [fact for fact in FACTS if fact.title not in differing]
    if differing & {"prompt", "tokens", "depth"}:
        differing.discard("context")  # it follows from the others
    machine = [phrase for fact in common if fact in _MACHINE and (phrase := fact.phrase(runs[0]))]
    return Shape(
        labels=_labels(runs),
        varying=tuple(fact for fact in FACTS if fact.title in differing),
        machine=(*machine, *_load_average(runs)),
        conditions=tuple(phrase for fact in common if fact not in _MACHINE and (phrase := fact.phrase(runs[0]))),
    )


def repetitions(run: Run) -> str:
    """How often it was measured, marked where it was interrupted."""
    return str(len(run.samples)) if run.complete else f"{len(run.samples)}, interrupted"


def processor(run: Run) -> str:
    """The processor, its cores, and the GPUs where there are any."""
    cores = run.hardware.get("physical_cores")
    words = [str(run.hardware.get("cpu") or "unknown processor")]
    if cores:
        words.append(counted(cores, "core"))
    return ", ".join([*words, *map(str, run.hardware.get("gpus") or ())])


def engine(run: Run) -> str:
    """The engine and its version."""
    subject = run.subject
    return subject.build if subject.build.startswith(subject.engine) else f"{subject.engine} {subject.build}".strip()


def _labels(runs: Sequence[Run]) -> tuple[str, ...]:
    """The label of each run; files that would have the same one have their path."""
    paths: dict[str, set[Path]] = {}
    subjects = [run.subject for run in runs]
    for one in subjects:
        paths.setdefault(name_of(one), set()).add(one.path)
    return tuple(
        with_adapters(str(one.path), one.adapters) if len(paths[name_of(one)]) > 1 else name_of(one) for one in subjects
    )


def _load_average(runs: Sequence[Run]) -> list[str]:
    known = [run.load_average for run in runs if run.load_average is not None]
    if not known:
        return []
    low, high = f"{min(known):.2f}", f"{max(known):.2f}"
    return [f"load average {low}" if low == high else f"load average {low} to {high}"]


def _layers(run: Run) -> str:
    return "auto" if run.settings.gpu_layers < 0 else str(run.settings.gpu_layers)


def _setting(field: Field) -> Fact:
    """A setting of the engine, in the fewest words."""

    def cell(run: Run) -> str:
        return value_text(getattr(run.settings, field.name))

    return Fact(field.short, cell, lambda run: f"{field.short} {cell(run)}")


def _repeats(run: Run) -> str:
    return counted(len(run.samples), "repetition") + ("" if run.complete else ", interrupted")


def _speculation(run: Run) -> str:
    if run.settings.speculation != NO_SPECULATION:
        return f"speculation {run.settings.speculation}"
    return "no speculation" if run.workload.text else ""


def _depth(run: Run) -> str:
    return "" if run.workload.text else f"depth {run.workload.depth_tokens:,}"  # a text has a prompt of its own


def _number(title: str, value: Callable[[Run], int], phrase: str) -> Fact:
    """A fact that is a count; ``phrase`` has its place."""
    return Fact(title, lambda run: str(value(run)), lambda run: phrase.format(value(run)), right=True)


_MACHINE: Final = (
    Fact("engine", engine, engine),
    Fact("processor", processor, processor),
)
_OWN: Final = {
    "threads": Fact(
        "threads", lambda run: str(run.settings.threads), lambda run: counted(run.settings.threads, "thread"), True
    ),
    "batch_tokens": _number("batch", lambda run: run.settings.batch_tokens, "batch {:,}"),
    "gpu_layers": Fact(
        "gpu", _layers, lambda run: "" if run.settings.gpu_layers < 0 else f"{_layers(run)} layers on GPU", True
    ),
    "speculation": Fact("speculation", lambda run: run.settings.speculation, _speculation),
}
REPEATS: Final = Fact("repeats", repetitions, _repeats, True)
FACTS: Final = (
    *_MACHINE,
    *(_OWN.get(name) or _setting(field) for name, field in FIELDS.items()),
    _number("prompt", lambda run: run.workload.prompt_tokens, "prompt {:,}"),
    _number("tokens", lambda run: run.workload.generated_tokens, "{:,} generated"),
    Fact("depth", lambda run: "" if run.workload.text else str(run.workload.depth_tokens), _depth, True),
    Fact("text", lambda run: run.workload.text or "", lambda run: TEXTS.get(run.workload.text or "", "")),
    _number("context", lambda run: run.context_tokens, "context {:,}"),
    REPEATS,
)
