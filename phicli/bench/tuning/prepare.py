"""What is searched for one file on one machine, and what may be kept of it."""

from __future__ import annotations

import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from phicli.bench.measuring.room import PlannedLoad, check_room, fit_together, fits
from phicli.bench.measuring.surroundings import Surroundings
from phicli.bench.tuning.against import EngineDuel
from phicli.bench.tuning.jobs import DEEP_TOKENS
from phicli.bench.tuning.space import FLASH_ATTENTION, KV_TYPE, Space, values_to_try
from phicli.bench.tuning.types import SLOTS, Job, SearchOutcome, UseResult
from phicli.engine.settings import EngineSettings
from phicli.fit.calibration import Conditions, Measurement
from phicli.fit.memory import smaller_kv_types, takes_kv_type
from phicli.fit.shape import ModelShape
from phicli.records.run import Subject
from phicli.records.run_ids import now
from phicli.records.tuned import BATCH, ONE_ANSWER, Tuned, Winner

_CONTEXT_TOKENS: Final = 768
_SPARE_TOKENS: Final = 32
_BATCH_CONTEXT: Final = 1024


@dataclass(frozen=True, slots=True)
class Prepared:
    """A model on a machine, ready to be tuned; ``context_tokens`` is what ``phi chat`` begins with.

    ``program`` is that of an engine that is one.
    """

    subject: Subject
    shape: ModelShape
    around: Surroundings
    context_tokens: int
    reasoning: bool = False
    program: Path | None = None

    @property
    def measured_tokens(self) -> int:
        """The context of each sequence while measuring."""
        return min(self.shape.trained_context_tokens or _CONTEXT_TOKENS, _CONTEXT_TOKENS)

    def check_fits(self) -> None:
        """Return if the defaults fit into memory.

        Raises:
            DoesNotFitError: they do not.
        """
        default = replace(self._default, kv_type=self._kv_type())
        check_room(self._load(default), self.around.memory, self.around.gpus)

    def space(self, given: Mapping[str, Sequence[Any]] | None = None) -> Space:
        """Where to look; ``given`` are values to try in place of the usual ones.

        Raises:
            DoesNotFitError: not even the defaults fit into memory.
        """
        self.check_fits()
        cpu, on_gpu = self.around.cpu, self.device != "cpu"
        repackable = self.shape.repackable_bytes > 0 and not on_gpu
        values = values_to_try(
            cpu.physical_cores,
            cpu.logical_cores,
            longest_prompt=self.measured_tokens - _SPARE_TOKENS,
            repackable=repackable,
            given=given,
        )
        if self.measured_tokens < DEEP_TOKENS + _SPARE_TOKENS:
            values |= {FLASH_ATTENTION: (), KV_TYPE: ()}
        return Space(replace(self._default, kv_type=self._kv_type()), values, self.fits)

    @property
    def device(self) -> str | None:
        """Where all layers are, as :meth:`phicli.bench.measuring.surroundings.Surroundings.device` has it."""
        return self.around.device(-1, self.shape.layers)

    @property
    def _default(self) -> EngineSettings:
        return EngineSettings.for_cores(self.around.cpu.physical_cores)

    def fits(self, use: str, settings: EngineSettings) -> bool:
        """Whether ``settings`` are possible for ``use``: known to the engine, and within memory."""
        if not takes_kv_type(self.shape, settings.kv_type):
            return False
        return fits(self._load(settings, use), self.around.memory, self.around.gpus)

    def fit_together(self, several: Sequence[EngineSettings]) -> bool:
        """Whether engines with all of these settings can be loaded at the same time for measuring."""
        context = self.measured_tokens * SLOTS
        loads = [PlannedLoad(self.subject, settings, self.shape, context) for settings in several]
        return fit_together(loads, self.around.memory, self.around.gpus)

    def _load(self, settings: EngineSettings, use: str = ONE_ANSWER) -> PlannedLoad:
        context = max(self.context_tokens, self.measured_tokens * SLOTS)
        if use == BATCH:
            context = SLOTS * max(min(self.context_tokens, _BATCH_CONTEXT), self.measured_tokens)
        return PlannedLoad(self.subject, settings, self.shape, context)

    def _kv_type(self) -> str:
        """The most exact type with which the context fits; f16 where none does, for the message."""
        types = ("f16", *smaller_kv_types(self.shape, "f16"))
        possible = (name for name in types if self.fits(ONE_ANSWER, replace(self._default, kv_type=name)))
        return next(possible, "f16")


def tuned_of(prepared: Prepared, outcome: SearchOutcome, build: str, duel: EngineDuel | None = None) -> Tuned:
    """The part of ``outcome``, which must be complete, and of the comparison with the default engine that is saved."""
    subject, cpu = prepared.subject, prepared.around.cpu
    return Tuned(
        model=subject.model,
        variant_id=subject.variant_id,
        quant=subject.quant,
        weights_bytes=prepared.shape.weights_bytes,
        cpu=cpu.name,
        cores=cpu.physical_cores,
        build=build,
        made_at=now(),
        winners={use: _winner(result) for use, result in outcome.results.items()},
        engine=subject.engine,
        program=None if prepared.program is None else str(prepared.program),
        faster=duel.faster if duel else {},
        faster_than=duel.against if duel else "",
    )


def _winner(result: UseResult) -> Winner:
    return Winner(
        result.winner,
        default=result.winner == result.default,
        ratio=result.ratio,
        ratio_low=result.ratio if result.low is None else result.low,
        ratio_high=result.ratio if result.high is None else result.high,
    )


def measurements_of(prepared: Prepared, outcome: SearchOutcome, build: str) -> tuple[Measurement, ...]:
    """The speeds that were measured in the usual settings, one for each number of threads and layout.

    Only what was measured at least twice counts. There are none of a file whose layers are shared by two devices.
    """
    subject, device = prepared.subject, prepared.device
    if device is None:
        return ()
    found = []
    for settings in dict.fromkeys(trial.settings for trial in outcome.trials):
        shallow = [one for one in outcome.trials if one.settings == settings and _is_usual(one.job)]
        decode = [1000 / one.decode_ms for one in shallow if one.decode_ms]
        prefill = [1000 / one.prefill_ms for one in shallow if one.prefill_ms]
        if len(decode) < 2 or not prefill or settings != EngineSettings(settings.threads, repack=settings.repack):
            continue
        conditions = Conditions(prepared.around.cpu.name, build, settings.threads, settings.repack, device)
        measured = Measurement(
            conditions=conditions,
            variant_id=subject.variant_id or os.path.realpath(subject.path),
            quant=subject.quant or "",
            weights_bytes=prepared.shape.weights_bytes,
            depth_tokens=0,
            decode_tps=statistics.fmean(decode),
            decode_stdev_tps=statistics.stdev(decode),
            prompt_tokens=max(one.job.prompt_tokens for one in shallow),
            prefill_tps=statistics.fmean(prefill),
            made_at=now(),
        )
        found.append(measured)
    return tuple(found)


def _is_usual(job: Job) -> bool:
    """Whether it generated, and from a short prompt."""
    return bool(job.generated_tokens) and not job.depth_tokens
