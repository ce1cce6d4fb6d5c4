"""What a person asked for on the command line, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from phicli.engine.settings import read_asked
from phicli.errors import THIS_COMMAND, UsageError

_LARGEST_SEED = 2**32 - 2


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """Options of a conversation; None leaves the choice to the model's entry in the catalogue, or to the machine.

    ``engine`` has the fields of :class:`~phicli.engine.settings.EngineSettings` that were asked for; those that are
    None or missing are left to the machine.

    Raises:
        UsageError: a value makes no sense.
    """

    system: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    seed: int | None = None
    max_tokens: int | None = None
    context_tokens: int | None = None
    engine: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        _check("--temperature", self.temperature, 0, 100)
        _check("--top-p", self.top_p, 0, 1)
        _check("--top-k", self.top_k, 0, 2**31 - 1)
        _check("--min-p", self.min_p, 0, 1)
        _check("--seed", self.seed, 0, _LARGEST_SEED)
        _check("--max-tokens", self.max_tokens, 1, 2**31 - 1)
        object.__setattr__(self, "engine", _checked(self.engine))
        check_text("--system", self.system or "")


def check_text(what: str, text: str) -> str:
    """``text``, which came from a person and must be text.

    Raises:
        UsageError: it holds bytes that are not UTF-8.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError(f"{what} is not UTF-8 text", "type it again, or convert it first with iconv") from None
    return text


def _checked(engine: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return read_asked(engine)
    except UsageError as error:
        raise UsageError(error.message, f"{error.hint}; see: {THIS_COMMAND} --help") from None


def _check(option: str, value: float | None, least: float, most: float) -> None:
    if value is not None and (math.isnan(value) or not least <= value <= most):
        raise UsageError(
            f"{option} {value} is not between {least} and {most}", f"{THIS_COMMAND} --help explains {option}"
        )
