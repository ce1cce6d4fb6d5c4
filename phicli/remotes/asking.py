"""From a request to the events of an answer by a model of a remote."""

from __future__ import annotations

from dataclasses import dataclass, replace

from phicli.answering.asked import Asked
from phicli.answering.calling_model import CallingModel, ToldModel
from phicli.answering.formed import RETRIES, FormedModel
from phicli.answering.types import Answering, Ending, Model
from phicli.engine.types import Sampling
from phicli.errors import UsageError
from phicli.remotes.model import RemoteModel
from phicli.tools.declared import declared_for
from phicli.tools.types import Tool


@dataclass(frozen=True, slots=True)
class RemoteAsking:
    """Makes answers to requests, as :class:`phicli.answering.asking.Asking` does with a model of this machine.

    Attributes:
        model: what answers.
        retries: further attempts at an answer that has not the form that was asked for.
        brake: end answers that repeat themselves; not for measurements.
        corrects: tell the model once of a wrong tool call; not for measurements.
    """

    model: RemoteModel
    retries: int = RETRIES
    brake: bool = True
    corrects: bool = True

    def answering(self, asked: Asked, index: int = 0) -> Answering:
        """The answer number ``index`` to ``asked``; nothing happens before its first event is asked for.

        Its events raise :class:`~phicli.errors.CheckFailedError` for an answer that has not the form, or not the tool
        calls, that were asked for.

        Raises:
            UsageError: a text is to be continued without a conversation.
        """
        if asked.text is not None:
            raise UsageError(
                f"{self.model.name} answers conversations, and does not continue a text",
                "send messages in place of a prompt that is continued",
            )
        ending = Ending(stop_texts=asked.stop, brake=self.brake, think_tokens=asked.think_tokens)
        return self._asked_of(asked).answer(asked.messages, sampling=self._sampling(asked, index), ending=ending)

    def _sampling(self, asked: Asked, index: int) -> Sampling:
        """The usual sampling with the values of the request; each answer has another seed."""
        return replace(self.model.usual, **{**asked.sampling, "seed": asked.seed(index)})

    def _asked_of(self, asked: Asked) -> Model | CallingModel | ToldModel:
        if not asked.tools or asked.tool_choice == "none":
            return self._formed(asked, self.model)
        usable = tuple(
            tool for tool in asked.tools if asked.callable_tools is None or tool.name in asked.callable_tools
        )
        required = asked.tool_choice == "required"
        chosen = _choosing(self.model, usable, required=required, several=asked.several_calls)
        declared = declared_for("", usable)
        if not self.corrects:
            return ToldModel(chosen, declared)
        model = chosen if required else self._formed(asked, chosen)
        return CallingModel(model, usable, declared, asked.several_calls, required=required)

    def _formed(self, asked: Asked, model: RemoteModel) -> Model:
        if asked.form is None:
            return model
        return FormedModel(model, asked.form, self.retries, seed_step=asked.answers, shows_cut_off=True)


def _choosing(model: RemoteModel, usable: tuple[Tool, ...], *, required: bool, several: bool) -> RemoteModel:
    """``model`` as it is asked for calls of the tools that are ``usable``."""
    if required and len(usable) == 1:
        return model.choosing(usable[0].name, by_name=True, several=several)
    return model.choosing("required" if required else "auto", several=several)
