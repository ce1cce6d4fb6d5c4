"""The tools of ``phi chat``: read from their files, declared to the model, and their calls checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from phicli.commands.tool_options import CHOICES, ToolOptions
from phicli.errors import CheckFailedError, UsageError
from phicli.units import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from phicli.answering.opening import OpenModel
    from phicli.answering.types import Answer
    from phicli.chat.open import OpenChat
    from phicli.chat.remote import OpenRemote
    from phicli.tools.types import Tool


@dataclass(frozen=True, slots=True)
class ToolUse:
    """The tools that were asked for, and the options that named them."""

    tools: tuple[Tool, ...]
    options: ToolOptions

    @property
    def choice(self) -> str:
        """Which tools are called."""
        return self.options.choice

    @property
    def text(self) -> str:
        """What is declared, as long as the model reads it or a little longer; empty where it is not declared."""
        from phicli.tools.declared import declared_for

        return "" if self.choice == "none" else declared_for("", self.tools)

    def equip(self, chat: OpenChat) -> None:
        """Declare the tools to the model of ``chat``, and have its calls checked.

        Raises:
            UsageError: the model was not trained to call tools, or its engine cannot be made to.
        """
        from phicli.chat.opened import here
        from phicli.chat.remote import OpenRemote
        from phicli.tools.checking import check_schemas

        check_schemas(self.tools)
        opened = chat.opened
        if isinstance(opened, OpenRemote):
            self._equip_remote(chat, opened)
        else:
            self._equip_here(chat, here(opened))

    def _equip_here(self, chat: OpenChat, opened: OpenModel) -> None:
        from phicli.answering.calling import was_trained
        from phicli.tools.declared import declared_for

        prompt_format = opened.plan.format.name
        trained = was_trained(prompt_format, opened.plan.model.variant)
        if not trained and not self.options.force:
            raise UsageError(
                f"{opened.plan.model.name} was not trained to call tools",
                "use a model that was: phi chat phi-4-mini; or try it anyway with --force-tools",
            )
        if not trained:
            opened.model.use_tools_as_text()
        if self.choice == "none":
            return
        session = chat.session
        session.tools = declared_for(prompt_format if trained else "", self.tools)
        session.check = self.wrong
        if not trained or self.choice != "auto":
            self._constrain(chat, opened, trained=trained)

    def _equip_remote(self, chat: OpenChat, opened: OpenRemote) -> None:
        """The remote declares the tools in the words of its model, and makes it call one where that was asked for."""
        if self.choice == "none":
            return
        session = chat.session
        session.tools, session.check = self.text, self.wrong
        if self.choice != "auto":
            by_name = self.choice not in CHOICES
            chosen = opened.model.choosing(self.choice, by_name=by_name, several=not by_name)
            session.formed = lambda _: chosen

    def _constrain(self, chat: OpenChat, opened: OpenModel, *, trained: bool) -> None:
        from phicli.answering.calling import required_constraint, text_constraint
        from phicli.answering.constrained import ConstrainedModel
        from phicli.engine.abilities import Ability

        opened.require(Ability.LARK)
        named = [tool for tool in self.tools if self.choice in ("auto", "required", tool.name)]
        several = self.choice in ("auto", "required")
        most = chat.session.sampling.max_tokens
        special = opened.model.file.special_tokens
        if trained:
            constraint = required_constraint(named, special, several=several, max_tokens=most)
        else:
            required = self.choice != "auto"
            constraint = text_constraint(named, special, required=required, several=several, max_tokens=most)
        chat.session.formed = lambda model: ConstrainedModel(model, constraint)

    @property
    def calls_only(self) -> bool:
        """Whether an answer is nothing but calls: its text is a part of one that is not complete."""
        return self.choice not in ("auto", "none")

    def wrong(self, answer: Answer) -> str | None:
        """What is wrong with the calls of ``answer``, apart from one that is not complete."""
        from phicli.answering.calling import wrong_in

        return wrong_in(answer, self.tools)

    def facts(self) -> dict[str, object]:
        """What is saved with an answer: with these options it can be had again."""
        return {"files": list(self.options.files), "choice": self.choice, "force": self.options.force}

    def require_right(self, chat: OpenChat) -> None:
        """Return if the calls in the last answer of ``chat`` are as they were asked for.

        Raises:
            CheckFailedError: they are not.
        """
        from phicli.ui.answer import chat_data

        answer = chat.session.last
        if answer is None:
            return
        data = {**chat_data(chat), "tool_error": chat.session.rejected}
        wrong = self.wrong(answer)
        if wrong is not None:
            raise CheckFailedError(
                f"the model made a wrong tool call again: {wrong}",
                "run the command again with another --seed, or describe the tools and their parameters better",
                data=data,
            )
        problem = self._missing(answer)
        if problem is not None:
            raise CheckFailedError(*problem, data=data)

    def _missing(self, answer: Answer) -> tuple[str, str] | None:
        """What is wrong with an answer that has no call, or only a part of one, and what to do; None for nothing."""
        from phicli.tools.checking import has_part_of_call
        from phicli.ui.answer import full_context

        count = answer.usage.completion_tokens
        tokens = counted(count, "token")
        if answer.finish_reason == "length" and (self.calls_only or has_part_of_call(answer.text)):
            if answer.tool_calls and not has_part_of_call(answer.text):
                return None
            full = full_context(answer)
            more = "use a larger context: --context SIZE" if full else f"allow more tokens: --max-tokens {2 * count}"
            return f"the tool call was cut off after {tokens}{full}", more
        if self.calls_only and not answer.tool_calls:
            why = f" by {answer.stopped_by!r}" if answer.stopped_by else ""
            message = f"the model called no tool: its answer was ended{why} after {tokens}"
            return message, "run the command again with another --seed"
        return None


def tools_of(options: ToolOptions, tell: Callable[[str], None]) -> ToolUse | None:
    """The tools in the files that were named; None where none were. ``tell`` gets what a person
    should know: of a long wait, and of functions that are left out.

    Raises:
        PhiError: a file cannot be read, or is wrong, or the tool that was chosen is in none of them.
    """
    if not options.files:
        return None
    from phicli.tools.files import read_tools

    tools = read_tools(options.files, tell)
    names = [tool.name for tool in tools]
    if options.choice not in (*CHOICES, *names):
        raise UsageError(
            f"--tool-choice {options.choice!r}: unknown tool",
            f"choose one of: {', '.join((*CHOICES, *names))}",
        )
    return ToolUse(tools, options)
