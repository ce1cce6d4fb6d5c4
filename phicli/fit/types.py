"""What a recommendation is made of: a request, candidates, and the reasons for each."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Final, Literal

from phicli.catalog.display_name import with_quant
from phicli.catalog.types import Variant
from phicli.fit.memory_sum import MemorySum
from phicli.fit.shape import ModelShape

TASKS: Final = ("chat", "code", "math", "reasoning", "multilingual", "tools", "long-context", "vision", "any")
Method = Literal["estimated", "calibrated", "measured"]
Role = Literal["best", "faster", "smarter"]
USUAL_PROMPT_TOKENS: Final = 512


@dataclass(frozen=True, slots=True)
class Request:
    """What a person wants.

    ``context_tokens`` None takes what is usual for the task. ``prompt_tokens`` is the prompt for which the time to the
    first token is told. ``min_tps`` excludes what is slower. ``max_size_bytes`` limits the file.
    ``license`` is compared without case. ``kv_type`` None means f16, and q8_0 where that does not fit.
    """

    task: str = "any"
    context_tokens: int | None = None
    prompt_tokens: int = USUAL_PROMPT_TOKENS
    min_tps: float | None = None
    max_size_bytes: int | None = None
    license: str | None = None
    quant: str | None = None
    kv_type: str | None = None
    installed_only: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """One file of one variant that could run.

    ``shape.weights_bytes`` come from a file's header (``size_source`` ``header``), from the published size
    (``published``), or from the quantization's recipe (``recipe``). ``installed`` when the file is on this machine;
    ``path``, without links, where it is a file that was named.
    """

    variant: Variant
    quant: str
    shape: ModelShape
    size_source: Literal["header", "published", "recipe"]
    installed: bool = False
    path: str | None = None

    @property
    def name(self) -> str:
        """What people call it: ``phi-4-mini:q4_k_m``."""
        return with_quant(self.variant.id, self.quant)


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens per second with a range, and the seconds until the first token of the request's prompt.

    ``context_s`` are the seconds that a prompt takes which fills the context.

    ``decode_at_context_tps`` is with the requested context filled. ``method`` is the grade: ``measured`` is a run of
    this very file here, ``calibrated`` the engine on layers of this shape here, ``estimated`` follows from bandwidth.
    ``published`` when the estimate rests on figures that others have published for machines of this kind. ``native``
    when it is the speed with native kernels.
    """

    decode_tps: float
    decode_tps_low: float
    decode_tps_high: float
    decode_at_context_tps: float
    prefill_tps: float
    ttft_s: float
    context_s: float
    method: Method
    published: bool = False
    native: bool = False

    @property
    def grade(self) -> str:
        """The method in words, such as ``estimated from published figures`` or ``estimated with native kernels``."""
        words = f"{self.method} from published figures" if self.published else self.method
        return f"{words} with native kernels" if self.native else words


@dataclass(frozen=True, slots=True)
class Assessment:
    """A candidate that passes every gate: where it runs, what it takes, how fast it is, how good (0 to 100).

    ``memory_share`` is the part of the usable main memory that it fills; 0 where nobody tells how much there is.
    ``published`` when the quality rests on a score, and not on a place between scores. ``wanted_tokens`` is the context
    that one would like to have, ``wanted_speed`` the speed with it; None where it is the one that is planned.
    ``split_gain`` is how many points it is better, shared by a GPU and the processor, than on the processor alone.
    """

    candidate: Candidate
    context_tokens: int
    kv_type: str
    memory: MemorySum
    speed: Speed
    quality: float
    gpu_layers: int = 0
    memory_share: float = 0.0
    published: bool = False
    wanted_tokens: int = 0
    wanted_speed: Speed | None = None
    split_gain: float = inf

    @property
    def is_split(self) -> bool:
        """Whether a GPU has a part of it only."""
        return 0 < self.gpu_layers <= self.candidate.shape.layers


@dataclass(frozen=True, slots=True)
class Pick:
    """A recommendation: ``reasons`` are for people, ``command`` is what to type."""

    role: Role
    assessment: Assessment
    reasons: tuple[str, ...]
    command: str


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a candidate is out: the one binding constraint, by how much, and what would make it pass, if anything."""

    variant_id: str
    quant: str | None
    gate: str
    reason: str
    missing_bytes: int | None = None
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """At most one pick per role, best first; the other candidates that pass, best first; and what is out."""

    picks: tuple[Pick, ...]
    others: tuple[Assessment, ...]
    rejected: tuple[Rejection, ...]
