"""Runs of benchmarks as a small machine makes them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.font_manager  # noqa: F401 (lists the fonts, by a program: once for each user, before the guard)
import pytest

from phicli.engine.settings import EngineSettings
from phicli.records.adapters import MeasuredAdapter
from phicli.records.history import Entry
from phicli.records.run import Peak, Run, Sample, Subject, Workload

BUILD = "xllamacpp 2026.10.11549"
HARDWARE: Mapping[str, Any] = {
    "cpu": "Intel(R) Xeon(R) Processor @ 2.10GHz",
    "physical_cores": 2,
    "threads": 2,
    "memory_total_bytes": 16 << 30,
    "gpus": [],
    "system": "Linux",
}
WOBBLE = (1.0, 1.01, 0.99, 1.005, 0.995)
"""What five repetitions differ by: one per cent at most."""

ENTRY = Entry(
    "2q2rgvq72w", "2026-11-22T10:00:00+00:00", "run", "phi-4-mini", "Q4_K_M", "xllamacpp", "1", "CPU", {"a": 1}
)


def entry(number: int, **more: object) -> Entry:
    """One of the history; the higher ``number``, the newer."""
    made_at = f"2026-11-22T10:{number:02}:00+00:00"
    return replace(ENTRY, run_id=f"run{number:02}", made_at=made_at, **more)  # type: ignore[arg-type]


def subject(model: str = "phi-4-mini", quant: str | None = "Q4_K_M", *, size_bytes: int = 2_491_874_272) -> Subject:
    """A file that the catalogue knows."""
    path = Path(f"/models/{model}.{quant}.gguf")
    return Subject(model, quant, model, path, size_bytes, "ab" * 32, "xllamacpp", BUILD)


def adapter(name: str = "my-run", scale: float = 1.0, sha256: str = "12" * 32) -> MeasuredAdapter:
    """An adapter that has a name here."""
    return MeasuredAdapter(name, Path(f"/adapters/{name}.gguf"), scale, 70_000, sha256)


def with_adapters(one: Run, *adapters: MeasuredAdapter) -> Run:
    """The run with these adapters."""
    return replace(one, subject=replace(one.subject, adapters=adapters))


def samples(
    prompt_tps: float | None = 34.0,
    decode_tps: float | None = 9.8,
    *,
    workload: Workload,
    repeat: int = 5,
    energy_j: float | None = None,
) -> tuple[Sample, ...]:
    """Repetitions of ``workload`` at about those rates; None leaves one out."""
    return tuple(
        Sample(
            prompt_ms=None if prompt_tps is None else 1000 * workload.prompt_tokens / prompt_tps * part,
            decode_ms=None if decode_tps is None else 1000 * workload.generated_tokens / decode_tps * part,
            ttft_ms=None if prompt_tps is None else 1000 * workload.prompt_tokens / prompt_tps * part + 90,
            energy_j=energy_j,
        )
        for part in (WOBBLE * repeat)[:repeat]
    )


def run(
    model: str = "phi-4-mini",
    quant: str | None = "Q4_K_M",
    *,
    prompt_tps: float | None = 34.0,
    decode_tps: float | None = 9.8,
    repeat: int = 5,
    energy_j: float | None = None,
    threads: int = 2,
    workload: Workload | None = None,
    **more: Any,
) -> Run:
    """One run; ``more`` are fields of :class:`EngineSettings` or of :class:`Run` that are not as usual."""
    done = workload or Workload()
    names = EngineSettings.__dataclass_fields__
    settings = EngineSettings(threads, **{name: more.pop(name) for name in list(more) if name in names})
    made = Run(
        run_id=f"20261122-{model}-{quant}".lower(),
        made_at="2026-11-22T21:40:00+00:00",
        subject=subject(model, quant),
        settings=settings,
        workload=done,
        context_tokens=768 + done.depth_tokens,
        samples=samples(prompt_tps, decode_tps, workload=done, repeat=repeat, energy_j=energy_j),
        load_ms=1240.0,
        cold_ttft_ms=2310.0,
        peak=Peak(2_840_000_000, 348_000_000),
        hardware=HARDWARE,
        load_average=0.21,
    )
    return replace(made, **more)


def quants() -> Sequence[Run]:
    """Two quants of one model."""
    return (
        run(quant="Q4_K_M"),
        run(quant="Q8_0", prompt_tps=39.5, decode_tps=5.98, peak=Peak(4_310_000_000, 351_000_000), load_ms=2050.0),
    )


def depths() -> Sequence[Run]:
    """Two models at three depths."""
    speeds = {"phi-4-mini": (9.8, 8.6, 6.9), "phi-4-mini-reasoning": (9.7, 8.4, 6.8)}
    return tuple(
        run(model, decode_tps=tps, prompt_tps=3.4 * tps, workload=Workload(512, 128, depth))
        for model, rates in speeds.items()
        for depth, tps in zip((0, 1024, 3072), rates, strict=True)
    )


def threads() -> Sequence[Run]:
    """One model on one to four threads, with the weights repacked and not."""
    rates = {False: (5.1, 9.8, 9.9, 8.1), True: (6.3, 11.6, 11.7, 9.0)}
    return tuple(
        run(threads=count, repack=repack, decode_tps=tps, prompt_tps=3.1 * tps)
        for repack, found in rates.items()
        for count, tps in enumerate(found, start=1)
    )


def drafted() -> Sequence[Run]:
    """One model that generates two texts, without and with speculation."""
    found = []
    for kind, rates in (("none", (9.8, 9.7)), ("ngram-simple", (12.1, 9.1))):
        for text, tps in zip(("copy", "new"), rates, strict=True):
            one = run(prompt_tps=None, decode_tps=tps, workload=Workload(0, 128, 0, text), speculation=kind)
            if kind != "none":
                drafts = {"draft_tokens": 100, "accepted_tokens": 70 if text == "copy" else 25}
                extra = {"equal_answers": 4, "compared_answers": 5}
                samples = tuple(replace(sample, **drafts) for sample in one.samples)
                one = replace(one, samples=samples, extra={**one.extra, **extra})
            found.append(one)
    return tuple(found)


def without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if matplotlib were not installed."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
