"""What a benchmark tells the recommendation: speeds of whole files under the conditions in which they are used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from phicli.bench.measuring.room import Load
from phicli.bench.measuring.surroundings import Surroundings
from phicli.engine.settings import EngineSettings
from phicli.engine.starting import DEFAULT_ENGINE
from phicli.fit.calibration import Conditions, Measurement
from phicli.records.run import Run


def measurements_of(runs: Sequence[Run], loads: Sequence[Load], around: Surroundings) -> tuple[Measurement, ...]:
    """The measurements in ``runs``: of files that the catalogue knows, by the default engine, in its usual settings.

    Left out are runs that were interrupted or did not generate, layers that are shared by two devices, and batch, type
    of cache or flash attention other than the default. A run at a depth that read no prompt itself has the speed of
    the prompt that was read by the same engine, if one was.
    """
    return tuple(found for load in loads for found in _of_load(load, _runs_of(load, runs), around))


def _runs_of(load: Load, runs: Sequence[Run]) -> list[Run]:
    def about(run: Run) -> tuple[object, ...]:
        return run.subject.path, run.subject.engine, run.settings

    return [run for run in runs if about(run) == (load.subject.path, load.subject.engine, load.settings)]


def _of_load(load: Load, runs: Sequence[Run], around: Surroundings) -> Iterator[Measurement]:
    subject, settings = load.subject, load.settings
    device = around.device(settings.gpu_layers, load.shape.layers)
    usual = EngineSettings(settings.threads, repack=settings.repack, gpu_layers=settings.gpu_layers)
    if subject.engine != DEFAULT_ENGINE or device is None or settings != usual:
        return
    if not subject.variant_id or not subject.quant:
        return
    read = next((run for run in runs if run.prompt_tps is not None), None)
    for run in runs:
        decode = run.decode_tps
        source = run if run.prompt_tps is not None else read
        prompt = source.prompt_tps if source is not None else None
        if not run.complete or decode is None:
            continue
        yield Measurement(
            conditions=Conditions(around.cpu.name, run.subject.build, settings.threads, settings.repack, device),
            variant_id=subject.variant_id,
            quant=subject.quant,
            weights_bytes=load.shape.weights_bytes,
            depth_tokens=run.workload.depth_tokens,
            decode_tps=decode.mean,
            decode_stdev_tps=decode.stdev,
            prompt_tokens=source.workload.prompt_tokens if source is not None else 0,
            prefill_tps=prompt.mean if prompt is not None else 0.0,
            made_at=run.made_at,
        )
