"""Opens a conversation with a model of this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from phicli.answering.opening import open_model
from phicli.chat.session import ChatSession
from phicli.engine.process import EngineProcess
from phicli.engine.starting import OnTick
from phicli.plan.chat_options import ChatOptions
from phicli.plan.load import LoadPlan, Use
from phicli.plan.locate import LocatedModel
from phicli.plan.tuned import Tuned


@dataclass(frozen=True, slots=True)
class OpenChat:
    """A conversation and the plan its model was opened by."""

    session: ChatSession
    plan: LoadPlan


@contextlib.contextmanager
def open_chat(
    located: LocatedModel,
    options: ChatOptions,
    use: Use,
    *,
    early: EngineProcess | None = None,
    tuned: Tuned | None = None,
    on_tick: OnTick | None = None,
) -> Iterator[OpenChat]:
    """A conversation; leaving the context ends the engine. Arguments and errors are those of ``open_model``."""
    with open_model(located, options, use, early=early, tuned=tuned, on_tick=on_tick) as opened:
        plan = opened.plan
        yield OpenChat(ChatSession(opened.model, sampling=plan.sampling, system=plan.system), plan)
