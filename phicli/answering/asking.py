"""From a request to the events of an answer by a model of this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from phicli.answering.asked import Asked
from phicli.answering.calling import CallsOrForm, required_constraint, was_trained
from phicli.answering.calling_model import CallingModel, ToldModel
from phicli.answering.formed import RETRIES, FormedModel
from phicli.answering.pool import Pool
from phicli.answering.shared_beginning import common_beginning
from phicli.answering.types import Answering, Ending, Notice
from phicli.catalog.types import Variant
from phicli.chat_format.types import Message
from phicli.engine.types import Sampling
from phicli.errors import EngineDiedError, PhiError, UsageError
from phicli.plan.load import LoadPlan
from phicli.plan.system_message import system_message
from phicli.structured.form import Form
from phicli.tools.declared import declared_for

_MOST_CHARACTERS: Final = 16
"""Of a text, for each token of a slot: with more it hardly fits, and to tokenize it takes time."""


class NoToolTrainingError(UsageError):
    """Tools were declared to a model that was not trained to call them."""

    def __init__(self, model: str) -> None:
        super().__init__(
            f"{model} was not trained to call tools", "name a model that was, such as phi-4-mini, or leave out tools"
        )


@dataclass(frozen=True, slots=True)
class Asking:
    """Makes answers to requests.

    Attributes:
        model: what answers.
        plan: how it was loaded: its usual sampling and system message.
        retries: further attempts at an answer that has not the form that was asked for.
        brake: end answers that repeat themselves; not for measurements.
        keeps_template: fail where the template of the file cannot be used; False: use a plain prompt then, and say so.
        corrects: tell the model once of a wrong tool call; not for measurements.
    """

    model: Pool
    plan: LoadPlan
    retries: int = RETRIES
    brake: bool = True
    keeps_template: bool = True
    corrects: bool = True

    def answering(self, asked: Asked, index: int = 0) -> Answering:
        """The answer number ``index`` to ``asked``; nothing happens before its first event is asked for.

        Beside what every answer may raise, its events raise :class:`~phicli.errors.CheckFailedError` for an answer
        that has not the form, or not the tool calls, that were asked for.

        Raises:
            NoToolTrainingError: the model cannot call tools.
        """
        ending, sampling = self._ending(asked), self._sampling(asked, index)
        self.model.keeps_template = self.keeps_template
        if asked.text is not None:
            return self.model.continue_text(asked.text, sampling=sampling, ending=ending)
        return self._asked_of(asked, sampling).answer(self._messages(asked), sampling=sampling, ending=ending)

    def look_ahead(self, requests: Sequence[Asked], on_notice: Callable[[Notice], object]) -> None:
        """Have what the prompts of ``requests`` begin with in common evaluated once, where that helps.

        These are some of many requests. Nothing is said of those that cannot be asked: their answers say it.
        """
        beginning, prompts = self.model.beginning, list[tuple[int, ...]]()
        if beginning is None:
            return
        self.model.keeps_template = self.keeps_template
        for asked in requests:
            try:
                prompts.append(self._prompt(asked, on_notice))
            except EngineDiedError:
                return
            except PhiError:
                continue
        beginning.begin_with(common_beginning(prompts, self.model.context.first_tokens))

    def _prompt(self, asked: Asked, on_notice: Callable[[Notice], object]) -> tuple[int, ...]:
        """The prompt of a request as token ids, none where its text is too long for a slot."""
        messages = (Message("user", asked.text),) if asked.text is not None else self._messages(asked)
        if sum(len(message.content) for message in messages) > _MOST_CHARACTERS * self.model.context.first_tokens:
            return ()
        tools = (
            declared_for(self.plan.format.name, asked.tools) if asked.tools and asked.tool_choice != "none" else None
        )
        as_text, ending = asked.text is not None, self._ending(asked)
        return self.model.ids(messages, on_notice, tools=tools, ending=ending, as_text=as_text)

    def _ending(self, asked: Asked) -> Ending:
        return Ending(stop_texts=asked.stop, brake=self.brake, think_tokens=asked.think_tokens)

    def _sampling(self, asked: Asked, index: int) -> Sampling:
        """The sampling of the model with the values of the request; each answer has another seed."""
        return replace(self.plan.sampling, **{**asked.sampling, "seed": asked.seed(index)})

    def _asked_of(self, asked: Asked, sampling: Sampling) -> Pool | FormedModel | CallingModel | ToldModel:
        if not asked.tools or asked.tool_choice == "none":
            return self._formed(asked, asked.form)
        plan, several = self.plan, asked.several_calls
        if not was_trained(plan.format.name, plan.model.variant):
            raise NoToolTrainingError(asked.model)
        usable = tuple(
            tool for tool in asked.tools if asked.callable_tools is None or tool.name in asked.callable_tools
        )
        declared, special = declared_for(plan.format.name, asked.tools), self.model.file.special_tokens
        if not self.corrects:
            return ToldModel(self.model, declared)
        if asked.tool_choice == "required":
            constraint = required_constraint(usable, special, several=several, max_tokens=sampling.max_tokens)
            return CallingModel(self.model, usable, declared, several, constraint)
        form = None if asked.form is None else CallsOrForm(asked.form, usable, special, several)
        return CallingModel(self._formed(asked, form), usable, declared, several)

    def _formed(self, asked: Asked, form: Form | None) -> Pool | FormedModel:
        if form is None:
            return self.model
        return FormedModel(self.model, form, self.retries, seed_step=asked.answers, shows_cut_off=True)

    def _messages(self, asked: Asked) -> tuple[Message, ...]:
        return with_system_message(asked.messages, self.plan.model.variant)


def with_system_message(messages: tuple[Message, ...], variant: Variant | None) -> tuple[Message, ...]:
    """``messages`` with the system message that the model needs: its own one, and behind it that of ``messages``."""
    first, rest = None, messages
    if rest and rest[0].role == "system":
        first, rest = rest[0].content, rest[1:]
    system = system_message(first, variant)
    return ((Message("system", system),) if system else ()) + rest
