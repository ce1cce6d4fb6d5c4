"""What a benchmark asks, does and finds, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from phicli.engine.settings import EngineSettings
from phicli.engine.starting import DEFAULT_ENGINE
from phicli.engine.types import Adapter
from phicli.records.adapters import MeasuredAdapter
from phicli.records.statistics import Summary, summary

EXTRA = (
    "schedule", "repeat", "others_busy_cores", "energy_source", "weights_bytes", "device", "equal_answers",
    "compared_answers",
)  # fmt: skip
"""What else a run tells about how it was taken.

``weights_bytes`` are the tensors of the file. ``device`` is ``cpu`` or the name of the graphics processor that had all
layers, None where the two shared them. ``equal_answers`` of ``compared_answers`` are the text that the same load
generates without speculation.
"""


@dataclass(frozen=True, slots=True)
class Workload:
    """What is done in one run: read a prompt, then generate after ``depth_tokens``; either may be 0, not both.

    ``text`` is what is generated where it is not random: a key of
    :data:`phicli.records.workload_texts.TEXTS`, with a prompt of its own.
    """

    prompt_tokens: int = 512
    generated_tokens: int = 128
    depth_tokens: int = 0
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """What is benched: a file on this machine, the engine that runs it, and the adapters (LoRA) that are used with it.

    ``sha256`` is None where the file was never hashed. ``variant_id`` is None for what the catalog does not know.
    ``engine`` is one of :data:`phicli.engine.starting.ENGINES`; ``build`` its version as it reports it, empty until it
    ran.
    """

    model: str
    quant: str | None
    variant_id: str | None
    path: Path
    size_bytes: int
    sha256: str | None = None
    engine: str = DEFAULT_ENGINE
    build: str = ""
    adapters: tuple[MeasuredAdapter, ...] = ()

    @property
    def used_adapters(self) -> tuple[Adapter, ...]:
        """The adapters as the engine gets them."""
        return tuple(adapter.used for adapter in self.adapters)

    def to_data(self) -> dict[str, Any]:
        """Its JSON form."""
        return asdict(self) | {"path": str(self.path), "adapters": [one.to_data() for one in self.adapters]}


@dataclass(frozen=True, slots=True)
class Sample:
    """One repetition, in milliseconds: reading the prompt, generating the tokens, and the first one seen from outside.

    None where it was not asked for. ``ttft_ms`` is from sending the prompt to receiving the first token with the
    model loaded and nothing of the prompt in its cache. ``energy_j`` is of generating alone. With
    speculation ``draft_tokens`` were drafted and ``accepted_tokens`` of them accepted. ``answer_sha256`` is the hash of
    a generated text.
    """

    prompt_ms: float | None
    decode_ms: float | None
    ttft_ms: float | None
    energy_j: float | None = None
    draft_tokens: int | None = None
    accepted_tokens: int | None = None
    answer_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Peak:
    """Highest resident memory of the engine's process, in bytes; ``anonymous_bytes`` None where it cannot be told."""

    total_bytes: int
    anonymous_bytes: int | None


@dataclass(frozen=True, slots=True)
class Run:
    """One subject with one setting and one workload: the raw samples and all that could explain them.

    ``cold_ttft_ms`` is from starting the engine to the first token; ``load_ms`` from starting it to its being ready.
    ``hardware`` has ``cpu``, ``physical_cores``, ``threads``, ``memory_total_bytes``, ``gpus`` (names) and ``system``.
    ``complete`` is False when it was interrupted. ``made_at`` is ISO 8601, UTC.
    ``extra`` has what is in :data:`EXTRA`.
    """

    run_id: str
    made_at: str
    subject: Subject
    settings: EngineSettings
    workload: Workload
    context_tokens: int
    samples: tuple[Sample, ...]
    load_ms: float
    cold_ttft_ms: float | None
    peak: Peak | None
    hardware: Mapping[str, Any]
    load_average: float | None = None
    warnings: tuple[str, ...] = ()
    complete: bool = True
    extra: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def prompt_tps(self) -> Summary | None:
        """Tokens per second in reading the prompt."""
        return summary([1000 * self.workload.prompt_tokens / s.prompt_ms for s in self.samples if s.prompt_ms])

    @property
    def decode_tps(self) -> Summary | None:
        """Tokens per second in generating."""
        return summary([1000 * self.workload.generated_tokens / s.decode_ms for s in self.samples if s.decode_ms])

    @property
    def ttft_ms(self) -> Summary | None:
        """Milliseconds to the first token, warm."""
        return summary([s.ttft_ms for s in self.samples if s.ttft_ms])

    @property
    def tokens_per_joule(self) -> Summary | None:
        """Generated tokens for each joule; None if the machine does not report it."""
        return summary([self.workload.generated_tokens / s.energy_j for s in self.samples if s.energy_j])

    @property
    def accepted_share(self) -> float | None:
        """The share of the drafted tokens that the model accepted; None where nothing was drafted."""
        drafted = sum(s.draft_tokens or 0 for s in self.samples)
        return sum(s.accepted_tokens or 0 for s in self.samples) / drafted if drafted else None

    def to_data(self) -> dict[str, Any]:
        """Its form in ``--json`` and in the history: the raw samples, and the means beside them."""
        data: dict[str, Any] = {
            "run_id": self.run_id,
            "made_at": self.made_at,
            "model": self.subject.model,
            "quant": self.subject.quant,
            "variant_id": self.subject.variant_id,
            "path": str(self.subject.path),
            "size_bytes": self.subject.size_bytes,
            "sha256": self.subject.sha256,
            "engine": self.subject.engine,
            "build": self.subject.build,
            "adapters": [adapter.to_data() for adapter in self.subject.adapters],
            "settings": self.settings.to_data(),
            "context_tokens": self.context_tokens,
            "depth_tokens": self.workload.depth_tokens,
            "prompt_tokens": self.workload.prompt_tokens,
            "generated_tokens": self.workload.generated_tokens,
            "text": self.workload.text,
            "samples": [asdict(sample) for sample in self.samples],
            "load_ms": self.load_ms,
            "cold_ttft_ms": self.cold_ttft_ms,
            "peak_rss_bytes": self.peak.total_bytes if self.peak else None,
            "peak_anonymous_bytes": self.peak.anonymous_bytes if self.peak else None,
            "hardware": dict(self.hardware),
            "load_average": self.load_average,
            "warnings": list(self.warnings),
            "complete": self.complete,
        }
        for name in ("prompt_tps", "decode_tps", "ttft_ms", "tokens_per_joule"):
            found: Summary | None = getattr(self, name)
            data[name] = {"mean": found.mean, "stdev": found.stdev} if found else None
        return {**data, "accepted_share": self.accepted_share, **self.extra}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_data`, for saved runs.

        Raises:
            ValueError: a field is missing or is not what it has to be.
        """
        try:
            return cls(
                run_id=str(data["run_id"]),
                made_at=str(data["made_at"]),
                subject=Subject(
                    model=str(data["model"]),
                    quant=_text(data["quant"]),
                    variant_id=_text(data.get("variant_id")),
                    path=Path(data["path"]),
                    size_bytes=int(data["size_bytes"]),
                    sha256=_text(data.get("sha256")),
                    engine=str(data["engine"]),
                    build=str(data["build"]),
                    adapters=tuple(map(MeasuredAdapter.from_data, data.get("adapters") or ())),
                ),
                settings=EngineSettings.from_data(data["settings"]),
                workload=_workload(data),
                context_tokens=int(data["context_tokens"]),
                samples=tuple(_sample(one) for one in data["samples"]),
                load_ms=float(data["load_ms"]),
                cold_ttft_ms=_number(data.get("cold_ttft_ms")),
                peak=_peak(data),
                hardware=dict(data["hardware"]),
                load_average=_number(data.get("load_average")),
                warnings=tuple(map(str, data.get("warnings", ()))),
                complete=bool(data.get("complete", True)),
                extra={name: data[name] for name in EXTRA if name in data},
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"a saved run: {type(error).__name__} {error}") from error


def _text(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{value!r} is not a string")
    return value


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _count(value: Any) -> int | None:
    return None if value is None else int(value)


def _workload(data: Mapping[str, Any]) -> Workload:
    lengths = {name: int(data[name]) for name in ("prompt_tokens", "generated_tokens", "depth_tokens")}
    return Workload(**lengths, text=_text(data.get("text")))


def _sample(data: Mapping[str, Any]) -> Sample:
    return Sample(
        prompt_ms=_number(data.get("prompt_ms")),
        decode_ms=_number(data.get("decode_ms")),
        ttft_ms=_number(data.get("ttft_ms")),
        energy_j=_number(data.get("energy_j")),
        draft_tokens=_count(data.get("draft_tokens")),
        accepted_tokens=_count(data.get("accepted_tokens")),
        answer_sha256=_text(data.get("answer_sha256")),
    )


def _peak(data: Mapping[str, Any]) -> Peak | None:
    total, anonymous = data.get("peak_rss_bytes"), data.get("peak_anonymous_bytes")
    return None if total is None else Peak(int(total), None if anonymous is None else int(anonymous))
