"""The settings of the engine: their defaults, their limits, and how each is typed, checked and called.

A setting is a field of :class:`EngineSettings` and a row of :data:`FIELDS`. Whatever reads, prints, compares or stores
settings goes through that table. A new one is added here, in ``commands/engine_options.py`` (its help, and which
commands have it), and where the engines take it: ``worker.py`` and ``llama_server_program.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from types import MappingProxyType
from typing import Any, Final, Protocol, Self

from phicli.errors import UsageError

MOST_THREADS: Final = 512
"""The most that llama.cpp takes: its ``GGML_MAX_N_THREADS``."""

BATCH_TOKENS: Final = 128
"""Closing the connection stops prompt processing between batches only, so small ones stop soon; on a processor they
are processed about as fast as large ones (``benchmarks/cold_start.py``, prompt processing). Tuning takes larger ones
only where that processes prompts more than 10 % faster."""

ALL_LAYERS: Final = -1
"""For ``gpu_layers``: the engine puts as many layers on the GPU as it can."""

NO_SPECULATION: Final = "none"

DRAFTS: Final[Mapping[str, Mapping[str, int]]] = MappingProxyType(
    {
        "ngram-simple": {"size_n": 4, "size_m": 12},
        "ngram-map-k": {"size_n": 6, "size_m": 12},
        "ngram-mod": {"n_match": 8, "n_min": 4, "n_max": 16},
    }
)
"""Kinds of speculation: llama.cpp's names and lengths, in tokens, of what is looked up and of the draft behind it. Its
own lengths (12 and 48; 24, 48 and 64) draft too much for a processor: on two cores a batch of four tokens takes about
as long as three single tokens or four, so a long draft that is rejected takes more time than accepted drafts save."""

_MOST_BATCH_TOKENS: Final = 1 << 14
_MOST_LAYERS: Final = (1 << 31) - 1
_MOST_DIGITS: Final = 18


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How the engine runs a model.

    ``batch_tokens`` is llama.cpp's ``n_batch`` and ``n_ubatch``. ``kv_type`` is the type of the KV cache.
    ``repack`` copies the weights into the layout that the processor computes fastest with: more tokens per second, a
    slower start and half as much memory again. With ``speculation``, a key of :data:`DRAFTS`, tokens are drafted from
    repetitions in the text, and the model checks several at once; only ``phi bench`` offers it.

    Raises:
        ValueError: a value is outside the limits in :data:`FIELDS`; the message begins with the field's name.
    """

    threads: int
    batch_tokens: int = BATCH_TOKENS
    kv_type: str = "f16"
    flash_attention: str = "auto"
    repack: bool = False
    gpu_layers: int = ALL_LAYERS
    speculation: str = NO_SPECULATION

    def __post_init__(self) -> None:
        for name, field in FIELDS.items():
            value = getattr(self, name)
            if not field.kind.allows(value):
                raise ValueError(f"{name} is {value!r}; it must be {field.kind.words}")

    @property
    def is_possible(self) -> bool:
        """Whether the settings go together: the engine quantizes the KV cache only with flash attention."""
        return self.kv_type == "f16" or self.flash_attention != "off"

    def to_data(self) -> dict[str, Any]:
        """The settings as JSON has them."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_data`; what is missing has its default, what is unknown is ignored.

        Raises:
            ValueError: ``threads`` is missing, or a value is of the wrong type or outside its limits.
        """
        found = {name: data[name] for name in FIELDS if name in data}
        if "threads" not in found:
            raise ValueError("threads is missing")
        return cls(**found)

    @classmethod
    def for_cores(cls, cores: int) -> Self:
        """The default settings of a machine with so many physical cores."""
        return cls(min(cores, MOST_THREADS))


class Kind(Protocol):
    """The values that a setting may have."""

    @property
    def words(self) -> str:
        """What a value has to be, such as ``a whole number from 1 to 512``."""

    @property
    def typed(self) -> tuple[str, ...]:
        """The words that can be typed; none for numbers."""

    def allows(self, value: Any) -> bool:
        """Whether ``value`` is of the right type and within the limits."""

    def read(self, text: str, option: str) -> Any:
        """The value that was typed behind ``option``.

        Raises:
            UsageError: it is not one that can be typed; names the option.
        """


@dataclass(frozen=True, slots=True)
class Whole:
    """Whole numbers from ``least`` to ``most``. Negative ones have a meaning of their own and cannot be typed."""

    least: int
    most: int
    typed: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """See :class:`Kind`."""
        return f"a whole number from {self.least:,} to {self.most:,}"

    def allows(self, value: Any) -> bool:
        """See :class:`Kind`."""
        return isinstance(value, int) and not isinstance(value, bool) and self.least <= value <= self.most

    def read(self, text: str, option: str) -> int:
        """See :class:`Kind`."""
        least = max(self.least, 0)
        value = int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else -1
        if not least <= value <= self.most:
            message = f"{option} {text} is not a whole number between {least} and {self.most}"
            raise UsageError(message, f"for example: {option} {least or 1}")
        return value


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few words, typed in any case."""

    known: tuple[str, ...]

    @property
    def typed(self) -> tuple[str, ...]:
        """See :class:`Kind`."""
        return self.known

    @property
    def words(self) -> str:
        """See :class:`Kind`."""
        return f"one of {', '.join(self.known)}"

    def allows(self, value: Any) -> bool:
        """See :class:`Kind`."""
        return isinstance(value, str) and value in self.known

    def read(self, text: str, option: str) -> str:
        """See :class:`Kind`."""
        if text.lower() not in self.known:
            raise UsageError(f"{option} {text} is unknown", f"choose one of {', '.join(self.known)}")
        return text.lower()


@dataclass(frozen=True, slots=True)
class Switch:
    """True and false, typed as ``on`` and ``off``."""

    words: str = "true or false"
    typed: tuple[str, ...] = ("on", "off")

    def allows(self, value: Any) -> bool:
        """See :class:`Kind`."""
        return isinstance(value, bool)

    def read(self, text: str, option: str) -> bool:
        """See :class:`Kind`."""
        return OneOf(self.typed).read(text, option) == "on"


@dataclass(frozen=True, slots=True)
class Field:
    """One setting: the option it is typed with, its values, and what it is called.

    ``label`` names it in a sentence, ``short`` above a column. ``said`` words a value where the label in front of it
    would not read well.
    """

    name: str
    option: str
    label: str
    short: str
    kind: Kind
    said: Callable[[Any], str] | None = None

    @property
    def default(self) -> Any:
        """The default; None for a setting that has none."""
        return _DEFAULTS.get(self.name)

    @property
    def parameter(self) -> str:
        """The option as the name of a Python parameter: ``batch_size`` for ``--batch-size``."""
        return self.option.removeprefix("--").replace("-", "_")

    def read(self, text: str) -> Any:
        """The value that was typed.

        Raises:
            UsageError: it makes no sense; names the option.
        """
        return self.kind.read(text, self.option)

    def read_list(self, text: str | None) -> tuple[Any, ...]:
        """The values in a list such as ``1,2,4``: see :func:`read_list`."""
        return read_list(self.kind, text, self.option)

    def phrase(self, value: Any) -> str:
        """The setting with its value, such as ``2 threads`` or ``KV type q8_0``."""
        return self.said(value) if self.said else f"{self.label} {value_text(value)}"


def read_list(kind: Kind, text: str | None, option: str) -> tuple[Any, ...]:
    """The values in a list such as ``1,2,4``, each once, in the order given; empty for None.

    Raises:
        UsageError: a value is missing or not of ``kind``; names the option.
    """
    if text is None:
        return ()
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise UsageError(
            f"{option} {text!r} contains an empty value", f"separate the values with single commas: {option} 1,2"
        )
    return tuple(dict.fromkeys(kind.read(part, option) for part in parts))


def read_asked(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a person asked for, by the names of fields, checked as if it were typed; None is left out.

    Raises:
        UsageError: a value makes no sense; names the option.
    """
    given = {name: value for name, value in values.items() if value is not None}
    return MappingProxyType({name: FIELDS[name].read(value_text(value)) for name, value in given.items()})


def value_text(value: Any) -> str:
    """A value as it is typed: ``on`` and ``off`` for a switch."""
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def _threads(value: int) -> str:
    return f"{value} thread{'' if value == 1 else 's'}"


def _repacked(value: bool) -> str:
    return "repacked" if value else "not repacked"


def _layers(value: int) -> str:
    return "the engine's GPU layers" if value < 0 else f"{value} GPU layers"


_DEFAULTS: Final = {one.name: one.default for one in fields(EngineSettings) if one.default is not MISSING}
_ROWS: Final = (
    Field("threads", "--threads", "threads", "threads", Whole(1, MOST_THREADS), _threads),
    Field("batch_tokens", "--batch-size", "batch size", "batch", Whole(1, _MOST_BATCH_TOKENS)),
    Field("kv_type", "--kv-type", "KV cache type", "kv", OneOf(("f16", "q8_0", "q4_0"))),
    Field("flash_attention", "--flash-attention", "flash attention", "flash", OneOf(("auto", "on", "off"))),
    Field("repack", "--repack", "repacking", "repack", Switch(), _repacked),
    Field("gpu_layers", "--gpu-layers", "GPU layers", "gpu", Whole(ALL_LAYERS, _MOST_LAYERS), _layers),
    Field("speculation", "--speculation", "speculation", "speculation", OneOf((NO_SPECULATION, *DRAFTS))),
)
FIELDS: Final[Mapping[str, Field]] = MappingProxyType({field.name: field for field in _ROWS})
"""The fields of :class:`EngineSettings` by name, in their order."""
