"""What a program asks of ``phi chat``: a list of messages, and tools that the model may call."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from phicli.commands.request_options import check_alone, check_samples, request_in
from phicli.commands.tool_use import ToolUse, tools_of
from phicli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from phicli.answering.types import Answer
    from phicli.chat.dialogue import Dialogue, Turn
    from phicli.chat.open import OpenChat
    from phicli.chat.remote import NamedRemote
    from phicli.commands.conversation_options import Conversation
    from phicli.engine.types import Sampling
    from phicli.plan.locate import LocatedModel
    from phicli.ui.terminal import Terminal

_VALUES: Final = {"--tools": " FILE", "--samples": " 3"}


@dataclass(frozen=True, slots=True)
class Request:
    """What a program asks; each is None where it was not asked for.

    Attributes:
        before: what was said before the question of a list of messages.
        turn: that question.
        tools: that the model may call.
        logprobs: how many of the likeliest tokens are reported beside each token of the answer.
    """

    before: Dialogue | None = None
    turn: Turn | None = None
    tools: ToolUse | None = None
    logprobs: int | None = None

    def dialogue(self, model: LocatedModel | NamedRemote) -> Dialogue | None:
        """What was said before, with the system message that ``model`` needs."""
        if self.before is None:
            return None
        from phicli.commands.resuming import system_for

        return replace(self.before, system=system_for(model, self.before.system))

    def text(self, turn: Turn) -> str:
        """Everything that is sent with ``turn``, roughly: for an estimate of its tokens."""
        messages = [] if self.before is None else self.before.messages()
        declared = "" if self.tools is None else self.tools.text
        said = (*messages, *turn.steps)
        calls = [str(dict(call.arguments)) for message in said for call in message.tool_calls]
        return "\n".join([turn.text, *(message.content for message in said), *calls, declared])

    def equip(self, chat: OpenChat) -> None:
        """Declare the tools to the model of ``chat``, have them saved with its answers, and probabilities reported."""
        if self.logprobs is not None:
            _report_likely(chat, self.logprobs)
        if self.tools is None:
            return
        self.tools.equip(chat)
        facts, tools = chat.session.facts, self.tools.facts()

        def with_tools(answer: Answer, sampling: Sampling) -> Mapping[str, Any] | None:
            known = facts(answer, sampling)
            return None if known is None else {**known, "tools": tools}

        chat.session.facts = with_tools

    @property
    def calls_only(self) -> bool:
        """Whether the answer is nothing but tool calls."""
        return self.tools is not None and self.tools.calls_only

    def data(self, chat: OpenChat) -> dict[str, str | None]:
        """What ``--json`` has more of an answer that may call tools."""
        return {} if self.tools is None else {"tool_error": chat.session.rejected}

    def check(self, chat: OpenChat) -> None:
        """Return if the last answer of ``chat`` has the tool calls that were asked for.

        Raises:
            CheckFailedError: it has not.
        """
        if self.tools is not None:
            self.tools.require_right(chat)


def request_of(wanted: Conversation, terminal: Terminal) -> Request:
    """The messages and the tools that were typed, if any.

    Raises:
        PhiError: a file cannot be read or is wrong, or an option contradicts another.
    """
    if wanted.events and wanted.as_json:
        raise UsageError("--events and --json cannot be used together", "leave out one of them")
    if wanted.form.asked and wanted.tools.files and wanted.tools.choice != "none":
        raise UsageError(
            "an answer with a form cannot call tools",
            "ask for the form when the tools were called: add --tool-choice none, or leave out --tools",
        )
    check_samples(wanted)
    tools = tools_of(wanted.tools, (lambda _: None) if wanted.quiet else terminal.say)
    if wanted.messages is not None:
        check_alone(wanted)
        asked = request_in(wanted.messages, terminal, quiet=wanted.quiet, no_stdin=wanted.no_stdin)
        return Request(*asked, tools, wanted.logprobs)
    return Request(tools=tools, logprobs=wanted.logprobs)


def require_one_question(wanted: Conversation) -> None:
    """Return if nothing was typed that only an answer to one question has.

    Raises:
        UsageError: something was, and there is no question.
    """
    if wanted.form.asked and wanted.interactive:
        raise UsageError("--interactive and a form of the answer cannot be used together", "leave out one of them")
    if wanted.form.asked:
        from_template = wanted.template is not None and wanted.template.schema == wanted.form.schema
        raise wanted.form.needs_prompt(wanted.template.name if wanted.template and from_template else None)
    if wanted.as_json:
        raise UsageError("--json needs a prompt", "phi chat MODEL 'your question' --json")
    only_for_one = {
        "--tools": bool(wanted.tools.files),
        "--events": wanted.events,
        "--samples": wanted.samples is not None,
        "--dry-run": wanted.dry_run,
    }
    option = next((option for option, was_typed in only_for_one.items() if was_typed), None)
    if option is None:
        return
    results = "; --messages sends the results of tool calls" if option == "--tools" else ""
    if wanted.interactive:
        raise UsageError(f"{option} and --interactive cannot be used together", f"leave out one of them{results}")
    raise UsageError(
        f"{option} is for a single question, but no prompt was given",
        f"give a prompt: phi chat MODEL 'your question' {option}{_VALUES.get(option, '')}{results}",
    )


def _report_likely(chat: OpenChat, likeliest: int) -> None:
    """Have the probabilities of tokens reported with the answers of ``chat``, and the ``likeliest`` ones.

    Raises:
        UsageError: the engine cannot report them.
    """
    from phicli.engine.abilities import Ability

    chat.opened.require(Ability.SCORES)
    session = chat.session
    session.use(session.model, sampling=replace(session.sampling, likeliest=likeliest), ending=session.ending)
