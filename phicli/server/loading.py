"""Loads one model for the server."""

from __future__ import annotations

from dataclasses import dataclass, replace

from phicli.answering.model_file import model_file
from phicli.answering.pool import Pool
from phicli.engine.starting import DEFAULT_ENGINE, start_engine
from phicli.engine.types import LoadSettings, LocalEngine
from phicli.gguf_file.header import read_header
from phicli.hardware.cpu import physical_cores
from phicli.hardware.memory import available_memory
from phicli.plan.chat_options import ChatOptions
from phicli.plan.load import LoadPlan, Use, plan_load
from phicli.plan.locate import LocatedModel
from phicli.server.types import LoadOptions

_USUAL_SLOTS = 2


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that answers for the server.

    Attributes:
        model: answers ``slots`` conversations at a time, from any thread.
        plan: how it was loaded.
        slots: answers at a time.
        settings: of its first engine.
    """

    model: Pool
    plan: LoadPlan
    slots: int
    settings: LoadSettings


def load(located: LocatedModel, options: LoadOptions) -> Loaded:
    """Start the engine of ``located``; it loads in the background, whatever goes wrong with that an answer raises.

    Raises:
        PhiError: the file cannot be read, run, or fitted into memory.
    """
    header = read_header(located.path)
    chat = ChatOptions(context_tokens=options.context_tokens, engine=dict(options.settings))
    plan = plan_load(
        located, header, chat, Use.CONVERSATION, memory=available_memory() if options.memory_check else None,
        cores=physical_cores(),
    )  # fmt: skip
    slots = options.parallel or _USUAL_SLOTS
    settings = replace(plan.settings, slots=slots)

    def start(context_tokens: int, slots: int) -> LocalEngine:
        return start_engine(DEFAULT_ENGINE, replace(plan.settings_for(context_tokens), slots=slots))

    return Loaded(Pool(model_file(plan, header), start, plan.context, slots=slots), plan, slots, settings)
