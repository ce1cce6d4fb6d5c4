"""What the catalog says about a model, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

PROMPT_FORMATS: Final = ("phi-3", "phi-3-folded", "phi-4", "phi-4-mini", "completion", "completion-qa")
CAPABILITIES: Final = ("chat", "tools", "reasoning", "vision", "audio", "code", "math", "multilingual")
FACT_GROUPS: Final = (
    "license",
    "release",
    "languages",
    "context",
    "dimensions",
    "sampling",
    "system_prompt",
    "strength",
    "runs_on",
)
"""What ``Variant.provenance`` may name a source for."""


@dataclass(frozen=True, slots=True)
class SamplingDefaults:
    """How a variant is sampled unless told otherwise; ``None`` leaves it to the engine's own default."""

    temperature: float = 0.0
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None


@dataclass(frozen=True, slots=True)
class Dimensions:
    """The shape of the text model: counts, and sizes in elements.

    ``tied`` says that the embedding is the output matrix as well. ``feed_forward`` is the inner size of one
    feed-forward block, for a mixture of one of its ``experts``; None when it is not known for sure. ``experts`` is 0
    for a dense model, ``experts_used`` how many of them a token passes.
    """

    layers: int
    heads: int
    kv_heads: int
    head_size: int
    hidden: int
    vocabulary: int
    tied: bool
    feed_forward: int | None = None
    experts: int = 0
    experts_used: int = 0


@dataclass(frozen=True, slots=True)
class Score:
    """A published result in the benchmark's own unit (mostly percent); ``source`` is a key of ``Catalog.references``.

    Scores from different sources were not measured in the same way.
    """

    benchmark: str
    value: float
    source: str
    note: str | None = None


@dataclass(frozen=True, slots=True)
class GgufFile:
    """One published file. ``quant`` is in capitals (``Q4_K_M``).

    ``size_bytes`` and ``sha256`` (hex) are exact, where they are known. ``size_approx_bytes`` comes from a figure
    rounded to 0.01 GB: for display before the hub is asked, never to check a download.
    """

    quant: str
    filename: str
    size_bytes: int | None = None
    sha256: str | None = None
    size_approx_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class GgufSource:
    """A hub repository with GGUF files of a variant; ``files`` may be empty or incomplete: the hub has the list.

    ``architecture`` is the ``general.architecture`` that its files have where it differs from the variant's.
    ``source`` is a key of ``Catalog.references``: where the list of files is known from.
    """

    repo: str
    revision: str | None = None
    files: tuple[GgufFile, ...] = ()
    architecture: str | None = None
    source: str = ""
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Variant:
    """One member of the family.

    ``parameters`` and ``active_parameters`` (mixtures of experts) are as published, rounded. ``context_tokens`` is the
    trained context; ``original_context_tokens`` is where LongRoPE changes its factors, None without LongRoPE.
    ``architecture`` is llama.cpp's name for it, None when no GGUF engine runs it: then ``prompt_format`` and
    ``sampling`` are None too, ``why_not`` says why and ``runs_on`` what can run it. ``repo`` has the original weights.
    ``answers_directly`` is for a model that reasons before some of its answers only.
    ``packaged_file`` names a file inside ``phicli/data``. ``sources`` are in order of preference.

    ``release`` is a date as precise as it is known (``2025-02``, ``2024-04-23``), ``languages`` are ISO 639-1 codes,
    ``capabilities`` some of ``CAPABILITIES``. ``strength`` and ``best_use`` are a few words each. ``notes`` are traps
    that a person should know. ``provenance`` leads from a group of facts (``FACT_GROUPS``) to a key of
    ``Catalog.references``.
    """

    id: str
    family: str
    title: str
    parameters: int
    context_tokens: int
    license: str
    runs_on: str
    aliases: tuple[str, ...] = ()
    repo: str | None = None
    active_parameters: int | None = None
    original_context_tokens: int | None = None
    architecture: str | None = None
    prompt_format: str | None = None
    reasoning: bool = False
    answers_directly: bool = False
    system_prompt: str | None = None
    sampling: SamplingDefaults | None = None
    packaged_file: str | None = None
    sources: tuple[GgufSource, ...] = ()
    dimensions: Dimensions | None = None
    stop_tokens: tuple[str, ...] = ()
    why_not: str | None = None
    release: str | None = None
    languages: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    strength: str = ""
    best_use: str = ""
    scores: tuple[Score, ...] = ()
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)

    @property
    def runs_here(self) -> bool:
        """Whether llama.cpp can run it."""
        return self.architecture is not None

    @property
    def quants(self) -> tuple[str, ...]:
        """Quantizations that the catalog knows a file of, in order of first mention."""
        return tuple(dict.fromkeys(file.quant for source in self.sources for file in source.files))


@dataclass(frozen=True, slots=True)
class Catalog:
    """All variants, in the order of the file, and what the keys of their sources mean (title, address, commit)."""

    variants: tuple[Variant, ...]
    references: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)

    def variant(self, variant_id: str | None) -> Variant | None:
        """The variant with exactly this id; None where there is none."""
        return next((variant for variant in self.variants if variant.id == variant_id), None)
