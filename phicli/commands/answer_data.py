"""The answer to the only question of ``phi chat`` as data: one JSON object, or one per event."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from phicli.errors import UserInterruptError
from phicli.ui.answer import answer_data, chat_data
from phicli.ui.envelope import SCHEMA, print_result
from phicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from phicli.answering.types import Answer
    from phicli.chat.dialogue import Turn
    from phicli.chat.open import OpenChat
    from phicli.commands.conversation_options import Conversation
    from phicli.commands.recording import Recording
    from phicli.commands.request import Request
    from phicli.structured.form import Form


def answer_as_json(
    chat: OpenChat, terminal: Terminal, wanted: Conversation, asked: Turn, recording: Recording | None, request: Request
) -> Answer:
    """Print the answer as one object.

    Raises:
        UserInterruptError: Ctrl-C; has what there is of the answer.
        CheckFailedError: the calls of tools are not as they were asked for.
    """
    from phicli.answering.pool import whole

    try:
        answer = whole(chat.session.ask(asked.question, asked.attachments, asked.steps))
    except KeyboardInterrupt:
        raise UserInterruptError("interrupted", data=chat_data(chat)) from None
    request.check(chat)
    print_result(terminal, "chat", all_data(chat, wanted, recording, request))
    return answer


def answer_as_events(
    chat: OpenChat, terminal: Terminal, wanted: Conversation, asked: Turn, recording: Recording | None,
    request: Request, sample: Mapping[str, int] = MappingProxyType({}),
) -> Answer | None:  # fmt: skip
    """Print what happens while the answer comes, one object per line; ``sample`` says which of several it is.

    Raises:
        UserInterruptError: Ctrl-C; what there is of the answer is printed.
        CheckFailedError: the calls of tools are not as they were asked for.
    """
    from phicli.ui.events import print_events

    start = {
        "schema": SCHEMA,
        **sample,
        **{name: chat_data(chat)[name] for name in ("model", "quant", "engine", "settings")},
    }
    events = chat.session.ask(asked.question, asked.attachments, asked.steps)
    try:
        answer = print_events(terminal, start, events, lambda: {**sample, **all_data(chat, wanted, recording, request)})
    except KeyboardInterrupt:
        raise UserInterruptError("interrupted") from None
    request.check(chat)
    return answer


def dry_run(
    chat: OpenChat, terminal: Terminal, wanted: Conversation, asked: Turn, make: Callable[[], Form] | None
) -> None:
    """Print the prompt and the form that would be sent for ``asked``, and what the model would take of the memory.

    Raises:
        UsageError: the form that ``make`` makes is wrong, or the engine cannot hold it.
        ContextExceededError: the prompt does not fit into the context, and would not be shortened; it has the data.
    """
    from phicli.fit.memory import plan_memory
    from phicli.ui.dry_run import dry_run_data, print_dry_run

    session, plan = chat.session, chat.plan
    messages = session.dialogue.messages(asked)
    prompt = chat.opened.model.prompt(messages, tools=session.tools, ending=session.ending)
    memory = plan_memory(plan.shape, plan.settings.engine, context_tokens=plan.settings.context_tokens)
    form = None
    if make is not None:
        from phicli.commands.formed_answer import constraints_of

        form = constraints_of(chat, make())[0]
    data, exceeded = dry_run_data(prompt, plan, memory, form), plan.context.exceeded_by(len(prompt.token_ids) + 1)
    if exceeded is not None and not wanted.shortens:
        exceeded.data = data
    elif exceeded is not None:
        if not wanted.quiet:
            terminal.say(f"note: {exceeded.message}; --on-overflow will shorten it before it is sent")
        exceeded = None
    if not wanted.as_json:
        print_dry_run(terminal, prompt, plan, memory, form)
    if exceeded is not None:
        raise exceeded
    if wanted.as_json:
        print_result(terminal, "chat", data)


def all_data(chat: OpenChat, wanted: Conversation, recording: Recording | None, request: Request) -> dict[str, Any]:
    """The last answer, what made it and where it is saved."""
    data = chat_data(chat, None if recording is None else recording.name)
    return data | last_data(chat, wanted, request)


def last_data(chat: OpenChat, wanted: Conversation, request: Request) -> dict[str, Any]:
    """The last answer alone."""
    answer = chat.session.last
    data = request.data(chat) | ({} if answer is None else answer_data(answer))
    if wanted.form.asked:
        from phicli.commands.formed_answer import parsed_data

        data |= parsed_data(chat)
    return data
