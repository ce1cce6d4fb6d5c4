"""From a request to the events of an answer."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Final

from phicli.answering.calling import CallsOrForm, required_constraint, was_trained
from phicli.answering.calling_model import CallingModel
from phicli.answering.formed import FormedModel
from phicli.answering.pool import Pool
from phicli.answering.types import Answering, Ending
from phicli.chat_format.types import Message
from phicli.engine.types import SEEDS, Sampling
from phicli.plan.system_message import system_message
from phicli.server.errors import RequestError
from phicli.server.loading import Loaded
from phicli.server.scoring import ScoredAnswering
from phicli.server.types import Asked
from phicli.structured.form import Form
from phicli.tools.declared import declared_for

RETRIES: Final = 2
"""Further attempts at an answer that has not the form that was asked for."""


def answering(loaded: Loaded, asked: Asked, index: int = 0) -> Answering:
    """The answer number ``index`` to ``asked``; nothing happens before its first event is asked for.

    Beside what every answer may raise, its events raise :class:`~phicli.errors.CheckFailedError` for an answer that
    has not the form, or not the tool calls, that were asked for.

    Raises:
        RequestError: the model cannot answer such a request.
    """
    if asked.answers > loaded.slots:
        raise RequestError(
            f"n is {asked.answers}, but {asked.model} gives at most {loaded.slots} answers at a time",
            f"ask for at most {loaded.slots}, or start phi serve with a larger --parallel",
            param="n",
        )
    made = _answering(loaded, asked, _sampling(loaded, asked, index))
    return ScoredAnswering(made) if asked.streamed and "likeliest" in asked.sampling else made


def _answering(loaded: Loaded, asked: Asked, sampling: Sampling) -> Answering:
    ending = Ending(stop_texts=asked.stop, brake=True, think_tokens=asked.think_tokens)
    loaded.model.keeps_template = True
    if asked.text is not None:
        return loaded.model.continue_text(asked.text, sampling=sampling, ending=ending)
    return _model(loaded, asked, sampling).answer(_messages(loaded, asked), sampling=sampling, ending=ending)


def _sampling(loaded: Loaded, asked: Asked, index: int) -> Sampling:
    """The sampling of the model with the values of the request; each answer has another seed."""
    first = asked.sampling.get("seed")
    seed = secrets.randbelow(SEEDS) if first is None else (first + index) % SEEDS
    return replace(loaded.plan.sampling, **{**asked.sampling, "seed": seed})


def _model(loaded: Loaded, asked: Asked, sampling: Sampling) -> Pool | FormedModel | CallingModel:
    if not asked.tools or asked.tool_choice == "none":
        return _formed(loaded, asked, asked.form)
    plan = loaded.plan
    if not was_trained(plan.format.name, plan.model.variant):
        raise RequestError(
            f"{asked.model} was not trained to call tools",
            "name a model that was, such as phi-4-mini, or leave out tools",
            param="tools",
        )
    usable = tuple(tool for tool in asked.tools if asked.callable_tools is None or tool.name in asked.callable_tools)
    declared, several = declared_for(plan.format.name, asked.tools), asked.several_calls
    special = loaded.model.file.special_tokens
    if asked.tool_choice == "required":
        constraint = required_constraint(usable, special, several=several, max_tokens=sampling.max_tokens)
        return CallingModel(loaded.model, usable, declared, several, constraint)
    form = None if asked.form is None else CallsOrForm(asked.form, usable, special, several)
    return CallingModel(_formed(loaded, asked, form), usable, declared, several)


def _formed(loaded: Loaded, asked: Asked, form: Form | None) -> Pool | FormedModel:
    if form is None:
        return loaded.model
    return FormedModel(loaded.model, form, RETRIES, seed_step=asked.answers, shows_cut_off=True)


def _messages(loaded: Loaded, asked: Asked) -> tuple[Message, ...]:
    """The messages with the system message that the model needs: its own one, and behind it that of the request."""
    first, rest = None, asked.messages
    if rest and rest[0].role == "system":
        first, rest = rest[0].content, rest[1:]
    system = system_message(first, loaded.plan.model.variant)
    return ((Message("system", system),) if system else ()) + rest
