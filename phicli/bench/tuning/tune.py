"""Tunes one model with one engine, and saves the settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from phicli.bench.launch import start
from phicli.bench.measuring.surroundings import Surroundings, spoilt
from phicli.bench.tuning.against import EngineDuel, compare_engines
from phicli.bench.tuning.costs import profiles
from phicli.bench.tuning.engines import EnginePool, engine_pool
from phicli.bench.tuning.prepare import Prepared, measurements_of, tuned_of
from phicli.bench.tuning.search import Search
from phicli.bench.tuning.trust import judged
from phicli.bench.tuning.types import SLOTS, SearchOutcome
from phicli.catalog.load import catalog
from phicli.engine.starting import DEFAULT_ENGINE, ENGINES, EngineChoice, find_program
from phicli.errors import DoesNotFitError
from phicli.fit.shape import shape_of
from phicli.fit.too_large import OnTooLarge
from phicli.gguf_file.header import read_header
from phicli.jobs.watch import Watch
from phicli.plan.context import wish_context
from phicli.plan.machine import repacked_here
from phicli.records.history import History, entry_about
from phicli.records.machine_mark import machine_mark
from phicli.records.run import Subject
from phicli.records.speed_data import speed_data
from phicli.records.tuned import USES
from phicli.records.tuned_files import find_tuned, save_tuned

_BUDGET_S: Final = 180.0
_QUICK_BUDGET_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class TuneOptions:
    """How models are tuned.

    ``settings`` are values to try in place of the usual ones, by setting. ``program`` is that of an engine that is
    one; that on PATH when None. ``quick`` takes a third of the time. Without ``memory_check`` a model that seems too
    large is tuned anyway.
    """

    settings: Mapping[str, Sequence[Any]] = field(default_factory=lambda: MappingProxyType({}))
    engines: tuple[str, ...] = (DEFAULT_ENGINE,)
    program: Path | None = None
    quick: bool = False
    memory_check: bool = True


@dataclass(frozen=True, slots=True)
class Tuning:
    """The result for one model with one engine; ``kept`` says whether ``phi chat`` uses it with that engine.

    ``duel`` is the comparison with the default engine, None where there was none.
    """

    subject: Subject
    outcome: SearchOutcome
    kept: bool
    warnings: tuple[str, ...]
    hardware: Mapping[str, Any]
    duel: EngineDuel | None = None

    def to_data(self) -> dict[str, Any]:
        """One entry of ``tunings[]``."""
        one = self.subject
        about = {"model": one.model, "quant": one.quant, "path": str(one.path), "engine": one.engine}
        found = {"kept": self.kept, "warnings": list(self.warnings)}
        against = {"against": self.duel.to_data() if self.duel else None}
        return {**about, "build": one.build, **self.outcome.to_data(), **found, **against}


@dataclass(frozen=True, slots=True)
class Tuner:
    """Tunes on a machine.

    Args:
        options: how.
        around: the machine.
        watch: is told how it goes.
        too_large: is given the error where a model is too large, and may return.
    """

    options: TuneOptions
    around: Surroundings
    watch: Watch
    too_large: OnTooLarge

    def tune(self, subject: Subject, base: Tuning | None = None) -> Tuning:
        """Tune one model with the engine of ``subject``, and save the settings.

        Args:
            subject: the model and the engine.
            base: what was found with the default engine, which this engine is compared with then.

        Raises:
            PhiError: the model does not fit, or the engine failed.
            KeyboardInterrupt: while the engines were compared; nothing of ``subject`` is saved.
        """
        prepared = self._prepared(subject)
        outcome, subject, others = self._searched(prepared)
        choice = EngineChoice(subject.engine, prepared.program)
        earlier = find_tuned(subject.path, subject.sha256, engine=choice).current is not None
        found = judged(outcome, self.around, others, earlier=earlier)
        warnings = (found.warning,) if found.warning else ()
        tuning = Tuning(subject, found.outcome, False, warnings, self.around.to_data())
        if not outcome.complete:
            return tuning
        if base is not None:
            tuning = self._compared(prepared, tuning, base, trusted=found.trusted)
        return _keep(prepared, tuning, trusted=found.trusted)

    def _prepared(self, subject: Subject) -> Prepared:
        """Ready to be tuned; where it is too large and ``too_large`` returns, as if the memory were unknown."""
        header = read_header(subject.path)
        variant = catalog().variant(subject.variant_id)
        around = self.around if ENGINES[subject.engine].uses_known_gpus else replace(self.around, gpus=())
        program = find_program(subject.engine, self.options.program)
        prepared = Prepared(
            subject,
            shape_of(header, repacked=repacked_here(EngineChoice(subject.engine, program))),
            around,
            wish_context(header).first_tokens,
            reasoning=variant is not None and variant.reasoning,
            program=None if program is None else program.absolute(),
        )
        try:
            prepared.check_fits()
        except DoesNotFitError as error:
            self.too_large(error)
            return replace(prepared, around=replace(around, memory=None))
        return prepared

    def _searched(self, prepared: Prepared) -> tuple[SearchOutcome, Subject, float | None]:
        """What the search found, the subject with the build of the engine, processors that others used."""
        subject = prepared.subject
        with self._pool(prepared) as pool:
            search = Search(
                prepared.space(self.options.settings),
                pool,
                budget_s=_QUICK_BUDGET_S if self.options.quick else _BUDGET_S,
                reasoning=prepared.reasoning,
                on_step=lambda text, left_s: self.watch.show(f"tuning {_name(subject)}: {text}", left_s, at_most=True),
            )
            try:
                outcome = search.run()
            except KeyboardInterrupt:
                outcome = search.outcome(complete=False)
        return outcome, replace(subject, build=pool.build), pool.used_by_others

    def _compared(self, prepared: Prepared, found: Tuning, base: Tuning, *, trusted: bool) -> Tuning:
        """``found`` with how its engine came out against that of ``base``; neither is where the machine was busy."""
        builds = f"{found.subject.build} and {base.subject.build}"
        if not (trusted and base.kept):
            why = f"{builds} were not compared, because the settings of one of the two were not saved"
            return replace(found, warnings=(*found.warnings, why))
        default = replace(prepared, subject=base.subject, around=self.around, program=None)
        settings = {use: (base.outcome.results[use].winner, found.outcome.results[use].winner) for use in USES}

        def on_round(number: int) -> None:
            self.watch.show(f"{found.subject.model}: {found.subject.engine} against {DEFAULT_ENGINE}, round {number}")

        with self._pool(default) as incumbent, self._pool(prepared) as challenger:
            compared = compare_engines(
                incumbent, challenger, settings, profiles(reasoning=prepared.reasoning), on_round
            )
        used = [pool.used_by_others for pool in (incumbent, challenger) if pool.used_by_others is not None]
        busy = spoilt(self.around, max(used, default=None))
        if busy is not None:
            why = f"{busy}, so the comparison of {builds} may be due to chance and is not saved"
            return replace(found, warnings=(*found.warnings, why))
        return replace(found, duel=EngineDuel(base.subject.build, compared))

    def _pool(self, prepared: Prepared) -> AbstractContextManager[EnginePool]:
        begin = partial(
            start,
            prepared.subject,
            context_tokens=prepared.measured_tokens,
            slots=SLOTS,
            llama_server=prepared.program,
        )
        return engine_pool(begin, prepared.fit_together)


def _keep(prepared: Prepared, found: Tuning, *, trusted: bool) -> Tuning:
    """Save the winners for ``phi chat`` where they are trusted, and all of it in the history.

    The entry has speeds for ``phi recommend`` only where they are trusted.
    """
    subject, outcome = found.subject, found.outcome
    failed = _save_winners(prepared, found) if trusted else ""
    found = replace(found, kept=trusted and not failed, warnings=(*found.warnings, *([failed] if failed else [])))
    data = {**found.to_data(), "hardware": dict(found.hardware)}
    if trusted and subject.engine == DEFAULT_ENGINE:
        data["speeds"] = [speed_data(one) for one in measurements_of(prepared, outcome, subject.build)]
    problem = History().try_add(entry_about(subject, "tune", data, cpu=prepared.around.cpu.name))
    return replace(found, warnings=(*found.warnings, problem)) if problem else found


def _save_winners(prepared: Prepared, found: Tuning) -> str:
    """Save them for ``phi chat``; why that could not be done, empty where it could."""
    subject = found.subject
    try:
        tuned = tuned_of(prepared, found.outcome, subject.build, found.duel)
        save_tuned(tuned, subject.path, subject.sha256, machine_mark())
    except OSError as error:
        return (
            "phi chat cannot use these settings, because they could not be saved: "
            f"{error.strerror or error}: {error.filename}"
        )
    return ""


def _name(subject: Subject) -> str:
    return subject.model if subject.engine == DEFAULT_ENGINE else f"{subject.model} with {subject.engine}"
