"""What was typed for ``phi chat``."""

from __future__ import annotations

from dataclasses import dataclass

from phicli.engine.starting import EngineChoice
from phicli.plan.chat_options import ChatOptions


@dataclass(frozen=True, slots=True)
class Conversation:
    """What was typed: the model, the prompt and the engine (None where absent), the options, and how to print."""

    model: str | None
    prompt: str | None
    options: ChatOptions
    engine: EngineChoice | None
    as_json: bool
    stream: bool
    no_stdin: bool
    quiet: bool
    memory_check: bool = True
    stats: bool = False
    verbose: bool = False
