"""How the answer to a request is sampled, and what ends it."""

from __future__ import annotations

from typing import Any, Final

from phicli.engine.types import SAMPLING_LIMITS, SEEDS, Sampling
from phicli.server.errors import RequestError
from phicli.server.openai.fields import Fields, unknown, wrong

MOST_ANSWERS: Final = 128
"""As OpenAI has it; how many one model can give at a time is known when it is loaded."""
_MOST_STOPS: Final = 64
_LONGEST_STOP: Final = 1000
_LARGEST_SEED: Final = 2**63
_INTEGERS: Final = frozenset(name for name in SAMPLING_LIMITS if type(getattr(Sampling(), name)) is int)
_NO_REASONING: Final = ("none", "minimal")
_EFFORTS: Final = (*_NO_REASONING, "low", "medium", "high", "xhigh")


def sampling_of(fields: Fields) -> dict[str, Any]:
    """What ``fields`` say of sampling, by the fields of :class:`~phicli.engine.types.Sampling`.

    Raises:
        RequestError: a value is wrong, or asks for what the engine is not asked for.
    """
    sampling: dict[str, Any] = {}
    for name, (least, most) in SAMPLING_LIMITS.items():
        if name not in ("seed", "max_tokens"):
            read = fields.integer if name in _INTEGERS else fields.number
            value = read(name, least, most)
            sampling |= {} if value is None else {name: value}
    seed = fields.integer("seed", -_LARGEST_SEED, _LARGEST_SEED)
    limits = [fields.integer(name, *SAMPLING_LIMITS["max_tokens"]) for name in ("max_completion_tokens", "max_tokens")]
    most_tokens = next((limit for limit in limits if limit is not None), None)
    sampling |= {} if seed is None else {"seed": seed % SEEDS}
    sampling |= {} if most_tokens is None else {"max_tokens": most_tokens}
    for name in ("presence_penalty", "frequency_penalty"):
        if (penalty := fields.number(name, -2, 2)) is not None:
            sampling[name] = penalty
    fields.refuse("logit_bias")
    return sampling


def stop_of(fields: Fields) -> tuple[str, ...]:
    """The texts that end the answer.

    Raises:
        RequestError: it is neither a string nor a list of strings, or one is empty.
    """
    value = fields.get("stop")
    texts = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(texts, list):
        raise wrong("stop", value, "a string or a list of strings")
    if len(texts) > _MOST_STOPS:
        raise RequestError(f"stop has {len(texts)} texts, but at most {_MOST_STOPS} are possible", param="stop")
    for at, text in enumerate(texts):
        path = "stop" if isinstance(value, str) else f"stop[{at}]"
        if not isinstance(text, str):
            raise wrong(path, text, "a string")
        if not 0 < len(text) <= _LONGEST_STOP:
            raise RequestError(
                f"{path} has {len(text)} characters, but must have from 1 to {_LONGEST_STOP}", param=path
            )
    return tuple(texts)


def answers_of(fields: Fields) -> int:
    """How many answers are wanted.

    Raises:
        RequestError: it is not a number of them.
    """
    return fields.integer("n", 1, MOST_ANSWERS) or 1


def think_tokens_of(fields: Fields) -> int | None:
    """The most tokens of reasoning: none for the efforts without reasoning; None for no limit.

    Raises:
        RequestError: the effort is unknown.
    """
    effort = fields.get("reasoning_effort")
    if effort is not None and effort not in _EFFORTS:
        raise unknown("reasoning_effort", effort, _EFFORTS)
    return 0 if effort in _NO_REASONING else None
