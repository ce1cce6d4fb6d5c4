"""The settings that were measured best for a file on a machine, as plain data that lasts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Self

from phicli.engine.abilities import Ability
from phicli.engine.settings import NO_SPECULATION, EngineSettings
from phicli.engine.starting import DEFAULT_ENGINE, ENGINES, can

ONE_ANSWER: Final = "one_answer"
CONVERSATION: Final = "conversation"
BATCH: Final = "batch"
USES: Final = (ONE_ANSWER, CONVERSATION, BATCH)
"""What settings are tuned for: a single question, a conversation, many requests at a time."""


@dataclass(frozen=True, slots=True)
class Winner:
    """The best settings for one use.

    ``ratio`` is how many times as fast as the untuned default they were, with its 95 % interval; all three are 1 where
    ``default``: nothing beat it.
    """

    settings: EngineSettings
    default: bool = True
    ratio: float = 1.0
    ratio_low: float = 1.0
    ratio_high: float = 1.0

    def to_data(self) -> dict[str, Any]:
        """Its JSON form: the settings and the ratio on one level."""
        ratios = {name: getattr(self, name) for name in ("ratio", "ratio_low", "ratio_high")}
        return {**self.settings.to_data(), "default": self.default, **ratios}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_data`.

        Raises:
            ValueError: a field is missing or is not what it has to be.
        """
        settings = EngineSettings.from_data(data)
        if settings.speculation != NO_SPECULATION:
            raise ValueError("speculation is never tuned")
        ratio, low, high = (_number(data, name) for name in ("ratio", "ratio_low", "ratio_high"))
        return cls(settings, _switch(data, "default"), ratio, low, high)


_NONE: Final[Mapping[str, float]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Tuned:
    """What tuning found for one file under one processor, number of cores and engine ``build``.

    ``model`` is what it was called; ``variant_id`` and ``quant`` are None for what the catalog does not know.
    ``winners`` has one for each of :data:`USES`. ``made_at`` is ISO 8601, UTC. ``program`` is the path of an ``engine``
    that is a program. ``faster`` has the uses for which it was faster than the default engine with that one's own
    winners, and how many times as fast; ``faster_than`` is the build of the default engine then.
    """

    model: str
    variant_id: str | None
    quant: str | None
    weights_bytes: int
    cpu: str
    cores: int
    build: str
    made_at: str
    winners: Mapping[str, Winner]
    engine: str = DEFAULT_ENGINE
    program: str | None = None
    faster: Mapping[str, float] = field(default_factory=lambda: _NONE)
    faster_than: str = ""

    def holds_for(self, cpu: str, cores: int, build: str) -> bool:
        """Whether it was found under these conditions."""
        return (self.cpu, self.cores, self.build) == (cpu, cores, build)

    def to_data(self) -> dict[str, Any]:
        """Its JSON form."""
        names = (
            "model", "variant_id", "quant", "weights_bytes", "cpu", "cores", "build", "made_at", "engine", "program",
            "faster_than",
        )  # fmt: skip
        data = {name: getattr(self, name) for name in names}
        winners = {use: winner.to_data() for use, winner in self.winners.items()}
        return data | {"faster": dict(self.faster), "winners": winners}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_data`.

        Raises:
            ValueError: a field is missing or is not what it has to be.
        """
        winners = data.get("winners")
        if not isinstance(winners, Mapping) or not all(isinstance(winners.get(use), Mapping) for use in USES):
            raise ValueError("a use has no winner")
        faster = data.get("faster", _NONE)
        if not isinstance(faster, Mapping):
            raise ValueError(f"faster is {faster!r}")
        return cls(
            model=_text(data, "model"),
            variant_id=_text_or_none(data, "variant_id"),
            quant=_text_or_none(data, "quant"),
            weights_bytes=_count(data, "weights_bytes", 1 << 62),
            cpu=_text(data, "cpu"),
            cores=_count(data, "cores", 1 << 16),
            build=_text(data, "build"),
            made_at=_text(data, "made_at"),
            winners=MappingProxyType({use: Winner.from_data(winners[use]) for use in USES}),
            engine=_engine(data),
            program=_text_or_none(data, "program"),
            faster=MappingProxyType({use: _number(faster, use) for use in USES if use in faster}),
            faster_than=_text_or_none(data, "faster_than") or "",
        )


def _engine(data: Mapping[str, Any]) -> str:
    """One that can be tuned."""
    name = _text_or_none(data, "engine") or DEFAULT_ENGINE
    if name not in ENGINES or not can(name, Ability.SLOTS):
        raise ValueError(f"engine is {name!r}")
    return name


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is {value!r}")
    return value


def _text_or_none(data: Mapping[str, Any], name: str) -> str | None:
    return None if data.get(name) is None else _text(data, name)


def _count(data: Mapping[str, Any], name: str, most: int) -> int:
    value = data.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise ValueError(f"{name} is {value!r}")
    return value


def _number(data: Mapping[str, Any], name: str) -> float:
    value = data.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < float("inf"):
        raise ValueError(f"{name} is {value!r}")
    return float(value)


def _switch(data: Mapping[str, Any], name: str) -> bool:
    value = data.get(name)
    if not isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}")
    return value
