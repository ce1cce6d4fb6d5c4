"""How answers are sampled: by the options, else the catalog, else the file itself, else what is usual."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from phicli.catalog.types import SamplingDefaults, Variant
from phicli.engine.types import SAMPLING_LIMITS, Sampling
from phicli.gguf_file.types import GgufHeader, MetaValue
from phicli.plan.chat_options import ChatOptions
from phicli.plan.identify import PLAIN, TEMPLATE, FormatChoice

LLAMA_CPP_TEMPERATURE: Final = 0.8
_FIELDS: Final = {
    "temp": "temperature",
    "top_k": "top_k",
    "top_p": "top_p",
    "min_p": "min_p",
    "penalty_repeat": "repeat_penalty",
    "penalty_last_n": "repeat_last_n",
    "xtc_probability": "xtc_probability",
    "xtc_threshold": "xtc_threshold",
    "mirostat": "mirostat",
    "mirostat_tau": "mirostat_tau",
    "mirostat_eta": "mirostat_eta",
}
"""``general.sampling.NAME`` as llama.cpp defines it (``src/llama-arch.cpp``), beside ``sequence``: the field of it."""


@dataclass(frozen=True, slots=True)
class ChatSampling:
    """The sampling of answers where no option says otherwise; ``source`` says in words where it is from."""

    sampling: Sampling
    source: str

    def to_data(self) -> dict[str, Any]:
        """As JSON has it, without what every answer has of its own."""
        data = self.sampling.to_data()
        return {name: value for name, value in data.items() if name not in ("seed", "max_tokens")} | {
            "source": self.source
        }


def sampling_of_variant(variant: Variant) -> ChatSampling:
    """The sampling of a variant: that of the catalog, else the likeliest token each time."""
    return _of_variant(variant.sampling)


def sampling_of_file(header: GgufHeader, variant: Variant | None, chosen: FormatChoice) -> ChatSampling:
    """The sampling of a file.

    The catalog decides for the files it knows. Other files have values of their own, or else take the likeliest token
    each time where they are Phi models, and what is usual in llama.cpp where they are not.

    Args:
        header: of the file.
        variant: the entry of the catalog for the file, None for an unknown file.
        chosen: the prompt format of the file, which says whether it is a Phi model.
    """
    if variant is not None:
        return _of_variant(variant.sampling)
    is_phi = chosen.name not in (TEMPLATE, PLAIN)
    usual = Sampling() if is_phi else Sampling(temperature=LLAMA_CPP_TEMPERATURE)
    own = dict(_own(header))
    if own:
        return ChatSampling(replace(usual, **own), "the file's own")
    return ChatSampling(usual, "usual for Phi models" if is_phi else "usual in llama.cpp")


def sampling_for(usual: Sampling, options: ChatOptions) -> Sampling:
    """``usual`` with what was asked for; the seed is drawn here, so that the answer can be had again."""
    asked = {name: value for name in SAMPLING_LIMITS if (value := getattr(options, name, None)) is not None}
    return replace(usual, **{"seed": secrets.randbelow(2**31), **asked})


def _of_variant(own: SamplingDefaults | None) -> ChatSampling:
    if own is None:
        return ChatSampling(Sampling(), "usual for Phi models")
    given = {field.name: getattr(own, field.name) for field in fields(own)}
    return ChatSampling(
        replace(Sampling(), **{name: value for name, value in given.items() if value is not None}), "the catalog's"
    )


def _own(header: GgufHeader) -> Iterator[tuple[str, Any]]:
    """Fields of :class:`Sampling` that the file gives; a value that makes no sense counts as missing."""
    usual = Sampling()
    for key, name in _FIELDS.items():
        value, (least, most) = _number(header.metadata.get(f"general.sampling.{key}")), SAMPLING_LIMITS[name]
        if value is not None and least <= value <= most:
            yield name, type(getattr(usual, name))(value)
    sequence = header.metadata.get("general.sampling.sequence")
    if isinstance(sequence, str) and (names := tuple(name.strip() for name in sequence.split(";") if name.strip())):
        yield "samplers", names


def _number(value: MetaValue | None) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
