"""Finds the engine settings that are best on this machine, and saves them for ``phi chat``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from phicli.bench.measuring.surroundings import look_around
from phicli.bench.subjects import subjects
from phicli.bench.tuning.tune import TuneOptions, Tuner, Tuning
from phicli.catalog.display_name import display_name, name_of
from phicli.engine.abilities import Ability
from phicli.engine.starting import DEFAULT_ENGINE, build_of, require
from phicli.errors import UsageError, UserInterruptError
from phicli.fit.too_large import on_too_large
from phicli.hardware.threads import notice_threads
from phicli.jobs.watch import Watch
from phicli.records.run import Subject
from phicli.records.tuned_files import forget_all_tuned, forget_tuned


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Whose settings were forgotten: the names, where models were named, and the number of files."""

    models: tuple[str, ...]
    files: int


def autotune(models: Sequence[str], options: TuneOptions, watch: Watch) -> Iterator[Tuning]:
    """Tune one model after the other, each with one engine after the other.

    Where the default engine is among them it comes first, and the others are compared with it.

    Args:
        models: names as for ``phi chat``.
        options: how they are tuned.
        watch: is told how it goes.

    Raises:
        UsageError: no model is named, a setting makes no sense here, or an engine cannot be tuned.
        UserInterruptError: Ctrl-C; the model that was interrupted came before, and nothing of it is saved.
        PhiError: a model or an engine cannot be found, a model does not fit, or an engine failed.
    """
    if not models:
        raise UsageError("no model was given", "for example: phi autotune tiny-phi")
    for engine in options.engines:
        require(engine, Ability.SLOTS)
        build_of(engine, options.program)
    notice_threads(options.settings.get("threads", ()), watch.say)
    tuner = Tuner(options, look_around(), watch, on_too_large(watch.say, check=options.memory_check))
    try:
        for subject in _alone(models):
            yield from _tune(subject, tuner)
    except KeyboardInterrupt:
        raise UserInterruptError("interrupted") from None


def _alone(models: Sequence[str]) -> tuple[Subject, ...]:
    """What ``models`` name.

    Raises:
        UsageError: one has an adapter, for which no settings are saved.
        PhiError: as for :func:`~phicli.bench.subjects.subjects`.
    """
    found = subjects(models)
    for one in found:
        if one.adapters:
            raise UsageError(
                f"phi autotune saves settings for models, not for adapters: {name_of(one)}",
                f"tune the model: phi autotune {display_name(one.model, one.quant)}",
            )
    return found


def _tune(subject: Subject, tuner: Tuner) -> Iterator[Tuning]:
    """Tune one model with each engine, the default one first."""
    base: Tuning | None = None
    for engine in sorted(tuner.options.engines, key=lambda name: name != DEFAULT_ENGINE):
        tuning = tuner.tune(replace(subject, engine=engine), base)
        yield tuning
        if not tuning.outcome.complete:
            raise UserInterruptError(f"interrupted: no settings were saved for {subject.model}")
        base = tuning if engine == DEFAULT_ENGINE else base


def forget(models: Sequence[str]) -> Forgotten:
    """Forget what was found for ``models``; without models, for all.

    Raises:
        PhiError: a model cannot be found.
        OSError: something cannot be removed.
    """
    if not models:
        return Forgotten((), forget_all_tuned())
    names = tuple(one.model for one in _alone(models) if forget_tuned(one.path, one.sha256))
    return Forgotten(names, len(names))
