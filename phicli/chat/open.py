"""A conversation over a model of this machine that is open."""

from __future__ import annotations

from dataclasses import dataclass

from phicli.answering.opening import OpenModel
from phicli.answering.types import Ending
from phicli.chat.dialogue import Dialogue
from phicli.chat.session import ChatSession
from phicli.plan.load import LoadPlan


@dataclass(frozen=True, slots=True)
class OpenChat:
    """A conversation, the plan its model was opened by, and the model."""

    session: ChatSession
    plan: LoadPlan
    opened: OpenModel


def open_chat(opened: OpenModel) -> OpenChat:
    """A conversation as the plan of ``opened`` has it, with a brake for answers that repeat themselves."""
    plan = opened.plan
    ending = Ending(plan.stop_texts, brake=True)
    session = ChatSession(opened.model, sampling=plan.sampling, dialogue=Dialogue(plan.system), ending=ending)
    return OpenChat(session, plan, opened)
