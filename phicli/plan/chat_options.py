"""What a person asked for on the command line, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from phicli.engine.settings import read_asked
from phicli.engine.types import SAMPLING_LIMITS, Adapter
from phicli.errors import THIS_COMMAND, UsageError

POLICIES: Final = ("error", "drop", "summarize", "ask")
"""What can happen when the context is full; ``ask`` is for a terminal, where a person chooses when it matters."""
_LIMITS: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {**SAMPLING_LIMITS, "think_budget": (0, SAMPLING_LIMITS["max_tokens"][1])}
)


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """Options of a conversation; None leaves the choice to the catalog, the file or the machine.

    ``stop`` are texts that end an answer. ``think_budget`` is after how many tokens reasoning is ended.

    ``engine`` has the fields of :class:`~phicli.engine.settings.EngineSettings` that were asked for; those that are
    None or missing are left to the machine. ``adapters`` are used with the model.

    Raises:
        UsageError: a value makes no sense.
    """

    system: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repeat_penalty: float | None = None
    seed: int | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    think_budget: int | None = None
    context_tokens: int | None = None
    engine: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    adapters: tuple[Adapter, ...] = ()

    def __post_init__(self) -> None:
        for name in _LIMITS:
            check_number(f"--{name.replace('_', '-')}", getattr(self, name, None))
        object.__setattr__(self, "engine", _checked(self.engine))
        check_text("--system", self.system or "")
        for text in self.stop:
            if not check_text("--stop", text):
                raise UsageError("--stop is empty", "give the text that ends the answer, e.g. --stop END")


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


def check_number(option: str, value: float | None) -> None:
    """Check that a number can be the value of ``option`` (``--top-k``); None can.

    Raises:
        UsageError: it cannot.
    """
    least, most = _LIMITS[option.removeprefix("--").replace("-", "_")]
    if value is not None and (math.isnan(value) or not least <= value <= most):
        raise UsageError(
            f"{option} {value} is not between {least} and {most}", f"see the help of {option}: {THIS_COMMAND} --help"
        )
