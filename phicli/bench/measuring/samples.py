"""The timings of one load and one workload, and the run made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from phicli.bench.measuring.measure import DecodeTime
from phicli.bench.measuring.room import PlannedLoad
from phicli.bench.measuring.surroundings import Surroundings
from phicli.engine.settings import NO_SPECULATION
from phicli.records.run import Peak, Run, Sample, Subject, Workload
from phicli.records.run_ids import new_run_id, now


@dataclass(slots=True)
class Loaded:
    """Facts about one load: from its first start, and the highest memory over all starts."""

    subject: Subject
    load_ms: float
    cold_ttft_ms: float
    energy: str | None
    peak: Peak | None = None


@dataclass(slots=True)
class Taken:
    """Samples of one workload on one load, the parts apart."""

    prompts: list[Sample] = field(default_factory=list)
    decodes: list[Sample] = field(default_factory=list)

    def samples(self) -> tuple[Sample, ...]:
        """The n-th of each part together."""
        nothing = Sample(None, None, None)
        count = max(len(self.prompts), len(self.decodes))
        read = [*self.prompts, *[nothing] * (count - len(self.prompts))]
        made = [*self.decodes, *[nothing] * (count - len(self.decodes))]
        return tuple(
            replace(other, prompt_ms=one.prompt_ms, ttft_ms=one.ttft_ms) for one, other in zip(read, made, strict=True)
        )

    def complete(self, workload: Workload, repeat: int) -> bool:
        """Whether all that ``workload`` asks for was timed ``repeat`` times."""
        asked = (workload.prompt_tokens, self.prompts), (workload.generated_tokens, self.decodes)
        return all(len(samples) == repeat for tokens, samples in asked if tokens)


def measured_run(
    load: PlannedLoad, loaded: Loaded, workload: Workload, taken: Taken, around: Surroundings, extra: Mapping[str, Any]
) -> Run:
    """The run of ``workload`` on ``load``, with a new id; ``extra`` says how it was taken, ``repeat`` among it."""
    device = around.device(load.settings.gpu_layers, load.shape.layers)
    about = {"energy_source": loaded.energy, "weights_bytes": load.shape.weights_bytes, "device": device}
    return Run(
        run_id=new_run_id(),
        made_at=now(),
        subject=loaded.subject,
        settings=load.settings,
        workload=workload,
        context_tokens=load.context_tokens,
        samples=taken.samples(),
        load_ms=loaded.load_ms,
        cold_ttft_ms=loaded.cold_ttft_ms,
        peak=loaded.peak,
        hardware=around.to_data(),
        load_average=around.load_average,
        complete=taken.complete(workload, extra["repeat"]),
        extra=MappingProxyType({**extra, **about}),
    )


def text_sample(made: DecodeTime) -> Sample:
    """The sample of a text that was generated: with the hash of it, and what was drafted where anything was."""
    digest = hashlib.sha256(made.text.encode()).hexdigest()
    sample = Sample(None, made.decode_ms, None, made.energy_j, answer_sha256=digest)
    if not made.draft_tokens:
        return sample
    return replace(sample, draft_tokens=made.draft_tokens, accepted_tokens=made.accepted_tokens)


def with_equal_answers(run: Run, runs: Sequence[Run]) -> Run:
    """``run`` with how many of its texts are equal to those without speculation, where these are among ``runs``."""
    plain = replace(run.settings, speculation=NO_SPECULATION)
    about = (run.subject, plain, run.workload)
    other = next((one for one in runs if (one.subject, one.settings, one.workload) == about), None)
    if run.workload.text is None or run.settings == plain or other is None:
        return run
    pairs = [(one.answer_sha256, two.answer_sha256) for one, two in zip(run.samples, other.samples, strict=False)]
    compared = [pair for pair in pairs if None not in pair]
    found = {"equal_answers": sum(one == two for one, two in compared), "compared_answers": len(compared)}
    return replace(run, extra=MappingProxyType({**run.extra, **found}))
