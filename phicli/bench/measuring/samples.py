"""What was timed of one load and one workload, and the run that is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from phicli.bench.measuring.room import PlannedLoad
from phicli.bench.measuring.surroundings import Surroundings
from phicli.records.run import Peak, Run, Sample, Subject, Workload
from phicli.records.run_ids import new_run_id, now


@dataclass(slots=True)
class Loaded:
    """What was found out about one load: at its first start, and as its highest memory over all starts."""

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
            replace(one, decode_ms=other.decode_ms, energy_j=other.energy_j)
            for one, other in zip(read, made, strict=True)
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
