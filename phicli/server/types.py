"""How the server was started, and that it has too much to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from phicli.answering.asked import NOTHING
from phicli.engine.types import Adapter
from phicli.errors import PhiError


@dataclass(frozen=True, slots=True)
class NamedAdapter:
    """An adapter (LoRA) that requests can name; it has the scale that they get."""

    name: str
    adapter: Adapter

    def to_data(self) -> dict[str, Any]:
        """Its JSON form."""
        return {"name": self.name, "scale": self.adapter.scale, "path": str(self.adapter.path)}


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Which models are served, and how they are loaded.

    Attributes:
        models: that are served, by name or path; none for every model on this machine.
        pull: download a model that is asked for and is not on this machine.
        parallel: answers at a time of one model; None for as many as help and fit.
        context_tokens: the most tokens of a conversation; None for what the model was trained for.
        settings: of the engine, those that were asked for, by field.
        adapters: that are loaded with the models which they fit; only requests that name one get it.
        keep_alive_s: seconds after its last answer that a model stays loaded; None for no end.
        wait_s: seconds that a model which is not loaded waits for others to end their answers.
        memory_check: refuse what does not fit.
    """

    models: tuple[str, ...] = ()
    pull: bool = False
    parallel: int | None = None
    context_tokens: int | None = None
    settings: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    keep_alive_s: float | None = 300.0
    wait_s: float = 120.0
    memory_check: bool = True
    adapters: tuple[NamedAdapter, ...] = ()


class BusyError(PhiError):
    """The server has too much to do; ``retry_after_s`` is when it is sensible to ask again, in seconds."""

    code = "busy"

    def __init__(self, message: str, hint: str = "", *, retry_after_s: int) -> None:
        super().__init__(message, hint or f"try again in {retry_after_s} s", data={"retry_after_s": retry_after_s})
        self.retry_after_s = retry_after_s
