"""The engine protocol: what ``phi`` asks of anything that generates tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol

from phicli.engine.closable import Closing
from phicli.engine.constraint import Constraint
from phicli.engine.logprobs import Likely
from phicli.engine.settings import DRAFTS, EngineSettings

NO_TOKENS: Final[Mapping[str, int]] = MappingProxyType({})

StopReason = Literal["stop", "length"]
"""Why a generation ended: the model, a stop token or the caller ended it, or the limit of tokens did."""

SAMPLERS: Final = ("penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature")
"""The samplers of llama.cpp in their usual order (``common/common.h``); those that nothing sets do nothing."""

NO_ADAPTERS: Final = "none"
"""What is typed in place of an adapter by who wants none."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter in a GGUF file; what it adds to the weights is multiplied by ``scale``."""

    path: Path
    scale: float = 1.0

    def typed_as(self, name: str) -> str:
        """How ``--adapter`` takes it where it is called ``name``: the scale is left out where it is 1."""
        return name if self.scale == 1 else f"{name}:{repr(self.scale).removesuffix('.0')}"


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """How a model file is loaded.

    ``context_tokens`` is always given (zero would mean the trained context, 16 GiB of cache for Phi-4-mini).
    ``slots`` sequences can be generated at a time, each with ``context_tokens``. With ``own_template`` the file's own
    chat template is used; otherwise the engine does not even parse it. ``model_name`` is what the engine takes for the
    file's ``general.name``; None leaves it as it is. ``slot_folder`` is a folder where an engine that
    keeps its state may do so; None for nowhere. ``cache_ram_mib`` bounds a cache of evaluated prompts beside slots.
    ``adapters`` are loaded beside the file, and used unless a request says otherwise (:class:`Sampling`).
    """

    model_path: Path
    context_tokens: int
    engine: EngineSettings
    warmup: bool = False
    slots: int = 1
    own_template: bool = False
    model_name: str | None = None
    slot_folder: Path | None = None
    cache_ram_mib: int = 0
    adapters: tuple[Adapter, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """Its JSON form, with all of it on one level."""
        names = ("context_tokens", "warmup", "slots", "own_template", "model_name", "cache_ram_mib")
        mine = {name: getattr(self, name) for name in names}
        paths = {"model_path": str(self.model_path), "slot_folder": str(self.slot_folder) if self.slot_folder else None}
        drafts = dict(DRAFTS.get(self.engine.speculation, {}))
        adapters = [{"path": str(one.path), "scale": one.scale} for one in self.adapters]
        return {**paths, **mine, **self.engine.to_data(), "drafts": drafts, "adapters": adapters}


_NOT_OF_A_PERSON: Final = (
    "ignore_eos", "constraint", "likeliest", "presence_penalty", "frequency_penalty", "adapter_scales",
)  # fmt: skip
"""Fields of :class:`Sampling` that neither a person nor a file sets."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen: all that llama.cpp would otherwise take from the file (``general.sampling.*``).

    ``temperature`` 0 is greedy; ``seed`` None is a fresh one each time. ``repeat_penalty`` 1 is none; it looks at the
    last ``repeat_last_n`` tokens. ``xtc_probability`` 0 and ``mirostat`` 0 switch those samplers off. ``samplers`` are
    llama.cpp's names in the order in which they are applied. With ``ignore_eos`` the model cannot choose to end:
    ``max_tokens`` come, for measurements. ``constraint`` is the form of the generated text; None for any. ``likeliest``
    is how many of the likeliest tokens are reported beside each generated one; None reports no probabilities.
    ``presence_penalty`` and ``frequency_penalty`` are those of OpenAI, over the last ``repeat_last_n`` tokens.
    ``adapter_scales`` has a scale for each adapter that is loaded, in their order; None: as they were loaded.
    """

    temperature: float = 0.0
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    repeat_last_n: int = 64
    xtc_probability: float = 0.0
    xtc_threshold: float = 0.1
    mirostat: int = 0
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    samplers: tuple[str, ...] = SAMPLERS
    seed: int | None = None
    max_tokens: int | None = None
    ignore_eos: bool = False
    constraint: Constraint | None = None
    likeliest: int | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    adapter_scales: tuple[float, ...] | None = None

    def to_data(self) -> dict[str, Any]:
        """What a person can set, and what a file can set, as JSON has it."""
        data = asdict(self)
        for name in _NOT_OF_A_PERSON:
            del data[name]
        return {**data, "samplers": list(self.samplers)}


_LARGEST: Final = 2**31 - 1
SAMPLING_LIMITS: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "temperature": (0, 100),
        "top_k": (0, _LARGEST),
        "top_p": (0, 1),
        "min_p": (0, 1),
        "repeat_penalty": (0.1, 10),
        "repeat_last_n": (0, _LARGEST),
        "xtc_probability": (0, 1),
        "xtc_threshold": (0, 1),
        "mirostat": (0, 2),
        "mirostat_tau": (0, 100),
        "mirostat_eta": (0, 100),
        "seed": (0, 2**32 - 2),
        "max_tokens": (1, _LARGEST),
    }
)
"""The least and the greatest value of each number in :class:`Sampling`, whether a person or a file gives it."""
SEEDS: Final = int(SAMPLING_LIMITS["seed"][1]) + 1
"""How many seeds there are: from 0."""


@dataclass(frozen=True, slots=True)
class Prefill:
    """The prompt is being read: ``processed`` of ``total`` tokens, ``cached`` of which were known already."""

    processed: int
    total: int
    cached: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Newly generated text: whole characters only. It is empty for tokens without text, such as special tokens.

    ``tokens`` is how many tokens it came from, ``token_ids`` their ids; None where some are unknown. ``likely`` has
    their probabilities where these were asked for: its texts together are ``text``.
    """

    text: str
    token_ids: tuple[int, ...] | None
    tokens: int
    likely: tuple[Likely, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one generation; ``prompt_tokens`` includes ``cached_tokens``."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int


@dataclass(frozen=True, slots=True)
class Timings:
    """Engine-side times of one generation, in milliseconds, and rates in tokens per second.

    With speculation ``draft_tokens`` were drafted, and the model accepted ``accepted_tokens`` of them.
    """

    prompt_ms: float
    decode_ms: float
    prompt_tps: float
    decode_tps: float
    draft_tokens: int = 0
    accepted_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """The last event of a generation.

    ``token_ids`` is None when some generated ids are unknown. ``stop_id`` is the one of ``stop_ids`` that ended it.
    ``last_id`` is the last id that came; None where that is unknown.
    """

    finish_reason: StopReason
    usage: Usage
    timings: Timings
    token_ids: tuple[int, ...] | None
    stop_id: int | None = None
    last_id: int | None = None


GenerationEvent = Prefill | Chunk | Done


class Generation(Protocol):
    """The events of one generation as they come; the last one is ``Done``."""

    def __iter__(self) -> Iterator[GenerationEvent]:
        """Itself."""

    def __next__(self) -> GenerationEvent:
        """The next event.

        Raises:
            ContextExceededError: the prompt leaves no room for an answer.
            EngineError: the engine died or answered with an error.
        """

    def close(self) -> None:
        """Stop the engine; safe to call twice, and from any thread.

        An iteration that waits in another thread ends soon, without ``Done``.
        """


class Generator(Protocol):
    """What goes from token ids to token ids, with one model loaded."""

    @property
    def context_tokens(self) -> int:
        """The context of one sequence, as the model was loaded."""

    @property
    def load_ms(self) -> float:
        """From starting the engine to its being ready, in milliseconds; 0 while it loads."""

    def tokenize(self, text: str, *, parse_special: bool, closing: Closing | None = None) -> tuple[int, ...]:
        """Token ids of ``text``, without a begin-of-text token; ``closing`` ends the wait for them."""

    def generate(
        self,
        prompt: Sequence[int],
        sampling: Sampling,
        *,
        stop_ids: frozenset[int] = frozenset(),
        visible_tokens: Mapping[str, int] = NO_TOKENS,
        until: Callable[[], bool] | None = None,
    ) -> Generation:
        """Generate after ``prompt``; starts, waits and raises only when the first event is asked for.

        Args:
            prompt: token ids.
            sampling: how tokens are chosen.
            stop_ids: tokens that end the generation; they have no text and are not among its ids.
            visible_tokens: special tokens, by literal, whose text belongs to the generated text.
            until: asked after each chunk; where it is true the generation ends there, with ``Done``.
        """


class Engine(Generator, Protocol):
    """A token-level engine, from its start to its end. Several threads may use it at a time."""

    def wait_ready(self, closing: Closing | None = None) -> None:
        """Wait until the model is loaded; ``closing`` ends the wait, though not the loading.

        Raises:
            EngineError: the file cannot be loaded; quotes the engine's reason.
        """

    def render_template(self, messages: Sequence[dict[str, str]], *, closing: Closing | None = None) -> str:
        """The prompt that the file's own chat template makes of ``messages``; ``closing`` ends the wait for it.

        Raises:
            TemplateError: the file has no usable template.
            EngineError: the engine died.
        """

    def close(self) -> None:
        """End the engine and wait for it; safe to call twice."""


class LocalEngine(Engine, Protocol):
    """A token-level engine in a separate process on this machine; it loads the model in the background."""

    @property
    def pid(self) -> int:
        """The process id of the engine, for measurements."""

    @property
    def build(self) -> str:
        """The engine and its version; empty while that is not known."""

    @property
    def loading(self) -> bool:
        """Whether the model is known to be loading."""
