"""What the catalogue says about a model, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PROMPT_FORMATS: Final = ("phi-3", "phi-3-folded", "phi-4", "phi-4-mini", "completion", "completion-qa")


@dataclass(frozen=True, slots=True)
class SamplingDefaults:
    """How a variant is sampled unless told otherwise; ``None`` leaves it to the engine's own default."""

    temperature: float = 0.0
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None


@dataclass(frozen=True, slots=True)
class GgufFile:
    """One published file. ``quant`` is in capitals (``Q4_K_M``); size (bytes) and hash (hex) where they are known."""

    quant: str
    filename: str
    size_bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class GgufSource:
    """A hub repository with GGUF files of a variant; ``files`` may be empty or incomplete: the hub has the list."""

    repo: str
    revision: str | None = None
    files: tuple[GgufFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Variant:
    """One member of the family.

    ``parameters`` and ``active_parameters`` (mixtures of experts) are as published, rounded. ``context_tokens`` is the
    trained context; ``original_context_tokens`` is where LongRoPE changes its factors, None without LongRoPE.
    ``architecture`` is llama.cpp's name for it, None when no GGUF engine runs it: then ``prompt_format`` and
    ``sampling`` are None too and ``runs_on`` says what can run it. ``repo`` has the original weights.
    ``packaged_file`` names a file inside ``phicli/data``. ``sources`` are in order of preference.
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
    system_prompt: str | None = None
    sampling: SamplingDefaults | None = None
    packaged_file: str | None = None
    sources: tuple[GgufSource, ...] = ()

    @property
    def runs_here(self) -> bool:
        """Whether llama.cpp can run it."""
        return self.architecture is not None

    @property
    def quants(self) -> tuple[str, ...]:
        """Quantisations that the catalogue knows a file of, in order of first mention."""
        return tuple(dict.fromkeys(file.quant for source in self.sources for file in source.files))


@dataclass(frozen=True, slots=True)
class Catalog:
    """All variants, in the order of the file."""

    variants: tuple[Variant, ...]
