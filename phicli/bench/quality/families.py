"""The quality of quantizations that were benchmarked together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from phicli.bench.launch import Launch, start
from phicli.bench.options import BenchOptions
from phicli.bench.quality.measure import measure_quality
from phicli.bench.quality.scoring import QUICK, USUAL, Extent
from phicli.bench.quality.types import Quality
from phicli.catalog.display_name import name_of
from phicli.catalog.names import squash
from phicli.catalog.quants import quant_of_filename
from phicli.engine.abilities import Ability
from phicli.engine.settings import EngineSettings
from phicli.engine.starting import can
from phicli.gguf_file.names import stem_of
from phicli.records.history import History, entry_about
from phicli.records.run import Run, Subject


@dataclass(frozen=True, slots=True)
class Family:
    """Files of one model that can be compared, at least two, and the run of each that came first."""

    runs: tuple[Run, ...]

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """The files."""
        return tuple(run.subject for run in self.runs)

    @property
    def settings(self) -> EngineSettings:
        """Those of the largest file, for all of them, so that nothing but the file differs."""
        return max(self.runs, key=lambda run: run.subject.size_bytes).settings


def each_quality(
    runs: Sequence[Run], options: BenchOptions, tell: Callable[[str], None], *, launch: Launch = start
) -> Iterator[Quality]:
    """The quality of the files of ``runs`` that are quantizations of one model; nothing where no two are.

    Each is kept in the history and given out as soon as it is there: who collects them while they come has those that
    were finished when an engine fails or Ctrl-C comes.

    Args:
        runs: what was benched; the processor's name is that of the runs.
        options: ``quality`` off leaves it all out, ``quick`` reads less of the text.
        tell: is told in words what is done and about how long it takes.
        launch: starts engines; tests give their own.

    Raises:
        UsageError: files of one model cut the text into different tokens.
        EngineError: an engine failed.
    """
    extent = QUICK if options.quick else USUAL
    for family in families(runs) if options.quality else ():
        speeds = {run.subject: run.decode_tps.mean for run in family.runs if run.decode_tps}

        def told(subject: Subject, done: int, speeds: dict[Subject, float] = speeds) -> None:
            if done == 0:
                tell(_words(subject, extent, speeds.get(subject)))

        found = measure_quality(
            family.subjects,
            family.settings,
            extent=extent,
            llama_server=options.llama_server,
            launch=launch,
            progress=told,
        )
        for one in found:
            cpu = str(family.runs[0].hardware.get("cpu") or "")
            warning = History().try_add(entry_about(one.subject, "quality", one.to_data(), cpu=cpu))
            if warning is not None:
                tell(warning)
            yield one


def families(runs: Sequence[Run]) -> tuple[Family, ...]:
    """The files that are quantizations of one model, in the order of the runs.

    Of several engines that report probabilities it is the first one's; without such an engine there are none.

    They are those of one variant of the catalog, else those whose names differ in the quantization only, with the same
    adapters. A file that comes twice, in another place or with other settings, counts once.
    """
    found: dict[tuple[str, ...], dict[str, Run]] = {}
    able = [run for run in runs if can(run.subject.engine, Ability.SCORES)]
    for run in able:
        subject = run.subject
        if subject.engine == able[0].subject.engine:
            content = subject.sha256 or str(subject.path.resolve())
            found.setdefault((_model(subject), *(one.mark for one in subject.adapters)), {}).setdefault(content, run)
    return tuple(Family(tuple(files.values())) for files in found.values() if len(files) > 1)


def _model(subject: Subject) -> str:
    """What quantizations of one model have in common."""
    if subject.variant_id is not None:
        return subject.variant_id
    if not subject.model.lower().endswith(".gguf"):
        return squash(subject.model)
    quant = quant_of_filename(subject.model) or subject.quant or ""
    return squash(stem_of(Path(subject.model).name)).removesuffix(squash(quant))


def _words(subject: Subject, extent: Extent, decode_tps: float | None) -> str:
    time = f", about {max(round(extent.tokens / decode_tps), 1)} s" if decode_tps else ""
    return f"quality of {name_of(subject)}: predicting {extent.tokens} tokens of a text{time}"
