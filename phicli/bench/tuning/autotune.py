"""Finds the engine settings that are best on this machine, and saves them for ``phi chat``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from phicli.bench.launch import start
from phicli.bench.measuring.surroundings import Surroundings, look_around
from phicli.bench.subjects import subjects
from phicli.bench.tuning.engines import engine_pool
from phicli.bench.tuning.prepare import Prepared, measurements_of, tuned_of
from phicli.bench.tuning.search import Search
from phicli.bench.tuning.trust import judged
from phicli.bench.tuning.types import SLOTS, SearchOutcome
from phicli.bench.watch import Watch
from phicli.catalog.load import catalog
from phicli.errors import DoesNotFitError, UsageError, UserInterruptError
from phicli.fit.shape import shape_of
from phicli.fit.too_large import OnTooLarge, on_too_large
from phicli.gguf_file.header import read_header
from phicli.hardware.threads import notice_threads
from phicli.plan.context import wish_context
from phicli.plan.machine import repacked_here
from phicli.records.history import History, entry_about
from phicli.records.machine_mark import machine_mark
from phicli.records.run import Subject
from phicli.records.speed_data import speed_data
from phicli.records.tuned_files import find_tuned, forget_all_tuned, forget_tuned, save_tuned

_BUDGET_S: Final = 180.0
_QUICK_BUDGET_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Tuning:
    """What was found for one model; ``kept`` says whether ``phi chat`` uses it from now on."""

    subject: Subject
    outcome: SearchOutcome
    kept: bool
    warnings: tuple[str, ...]
    hardware: Mapping[str, Any]

    def to_data(self) -> dict[str, Any]:
        """One entry of ``tunings[]``."""
        one = self.subject
        about = {"model": one.model, "quant": one.quant, "path": str(one.path), "engine": one.engine}
        found = {"kept": self.kept, "warnings": list(self.warnings)}
        return {**about, "build": one.build, **self.outcome.to_data(), **found}


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Whose settings were forgotten: the names, where models were named, and the number of files."""

    models: tuple[str, ...]
    files: int


def autotune(
    models: Sequence[str], settings: Mapping[str, Sequence[Any]], watch: Watch, *,
    quick: bool = False, memory_check: bool = True,
) -> Iterator[Tuning]:  # fmt: skip
    """Tune one model after the other.

    Args:
        models: names as for ``phi chat``.
        settings: values to try in place of the usual ones, by setting.
        watch: is told how it goes.
        quick: take a third of the time.
        memory_check: refuse a model that seems too large; without it, all settings are tried on such a model.

    Raises:
        UsageError: no model is named, or a setting makes no sense here.
        UserInterruptError: Ctrl-C; the model that was interrupted came before, and nothing of it is saved.
        PhiError: a model cannot be found, does not fit, or the engine failed.
    """
    if not models:
        raise UsageError("no model was given", "for example: phi autotune tiny-phi")
    notice_threads(settings.get("threads", ()), watch.say)
    around, too_large = look_around(), on_too_large(watch.say, check=memory_check)
    try:
        for subject in subjects(models):
            tuning = _tune(subject, around, settings, watch, too_large, quick=quick)
            yield tuning
            if not tuning.outcome.complete:
                raise UserInterruptError(f"interrupted: no settings were saved for {subject.model}")
    except KeyboardInterrupt:
        raise UserInterruptError("interrupted") from None


def forget(models: Sequence[str]) -> Forgotten:
    """Forget what was found for ``models``; without models, for all.

    Raises:
        PhiError: a model cannot be found.
        OSError: something cannot be removed.
    """
    if not models:
        return Forgotten((), forget_all_tuned())
    names = tuple(one.model for one in subjects(models) if forget_tuned(one.path, one.sha256))
    return Forgotten(names, len(names))


def _tune(
    subject: Subject, around: Surroundings, settings: Mapping[str, Sequence[Any]], watch: Watch,
    too_large: OnTooLarge, *, quick: bool,
) -> Tuning:  # fmt: skip
    """Tune one model and save what was found."""
    prepared = _prepared(subject, around, too_large)
    outcome, subject, others = _searched(prepared, settings, watch, quick=quick)
    earlier = find_tuned(subject.path, subject.sha256).current is not None
    found = judged(outcome, around, others, earlier=earlier)
    tuning = Tuning(subject, found.outcome, False, (found.warning,) if found.warning else (), around.to_data())
    return _keep(prepared, tuning, trusted=found.trusted) if outcome.complete else tuning


def _prepared(subject: Subject, around: Surroundings, too_large: OnTooLarge) -> Prepared:
    """Ready to be tuned; where it is too large and ``too_large`` returns, as if the memory were unknown."""
    header = read_header(subject.path)
    shape = shape_of(header, repacked=repacked_here())
    context = wish_context(header)
    variant = catalog().variant(subject.variant_id)
    reasoning = variant is not None and variant.reasoning
    prepared = Prepared(subject, shape, around, context.first_tokens, reasoning=reasoning)
    try:
        prepared.check_fits()
    except DoesNotFitError as error:
        too_large(error)
        return replace(prepared, around=replace(around, memory=None))
    return prepared


def _searched(
    prepared: Prepared, settings: Mapping[str, Sequence[Any]], watch: Watch, *, quick: bool
) -> tuple[SearchOutcome, Subject, float | None]:
    """What the search found, the subject with the build of the engine that ran, processors that others used."""
    subject = prepared.subject
    space = prepared.space(settings)
    begin = partial(start, subject, context_tokens=prepared.measured_tokens, slots=SLOTS)
    with engine_pool(begin, prepared.fit_together) as pool:
        search = Search(
            space,
            pool,
            budget_s=_QUICK_BUDGET_S if quick else _BUDGET_S,
            reasoning=prepared.reasoning,
            on_step=lambda text, left_s: watch.show(f"tuning {subject.model}: {text}", left_s, at_most=True),
        )
        try:
            outcome = search.run()
        except KeyboardInterrupt:
            outcome = search.outcome(complete=False)
    return outcome, replace(subject, build=pool.build), pool.used_by_others


def _keep(prepared: Prepared, found: Tuning, *, trusted: bool) -> Tuning:
    """Save the winners for ``phi chat`` where they are trusted, and all of it in the history.

    The entry has speeds for ``phi recommend`` only where they are trusted.
    """
    subject, outcome = found.subject, found.outcome
    failed = _save_winners(prepared, outcome, subject) if trusted else ""
    found = replace(found, kept=trusted and not failed, warnings=(*found.warnings, *([failed] if failed else [])))
    data = {**found.to_data(), "hardware": dict(found.hardware)}
    if trusted:
        data["speeds"] = [speed_data(one) for one in measurements_of(prepared, outcome, subject.build)]
    problem = History().try_add(entry_about(subject, "tune", data, cpu=prepared.around.cpu.name))
    return replace(found, warnings=(*found.warnings, problem)) if problem else found


def _save_winners(prepared: Prepared, outcome: SearchOutcome, subject: Subject) -> str:
    """Save them for ``phi chat``; why that could not be done, empty where it could."""
    try:
        save_tuned(tuned_of(prepared, outcome, subject.build), subject.path, subject.sha256, machine_mark())
    except OSError as error:
        return (
            "phi chat cannot use these settings, because they could not be saved: "
            f"{error.strerror or error}: {error.filename}"
        )
    return ""
