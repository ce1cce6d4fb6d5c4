"""The answer to the only question of ``phi chat`` as data: one JSON object, or one per event."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from phicli.errors import NetworkError, UserInterruptError
from phicli.ui.answer import answer_data, chat_data
from phicli.ui.envelope import SCHEMA, print_result
from phicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from phicli.answering.types import Answer, Notice
    from phicli.chat.dialogue import Turn
    from phicli.chat.open import OpenChat
    from phicli.commands.conversation_options import Conversation
    from phicli.commands.recording import Recording
    from phicli.commands.request import Request
    from phicli.ui.status import StatusLine


def answer_as_json(
    chat: OpenChat, terminal: Terminal, status: StatusLine, wanted: Conversation, asked: Turn,
    recording: Recording | None, request: Request,
) -> Answer:  # fmt: skip
    """Print the answer as one object.

    Raises:
        UserInterruptError: Ctrl-C; has what there is of the answer.
        NetworkError: the answer did not come, or broke off; has what there is of it.
        CheckFailedError: the calls of tools are not as they were asked for.
    """
    try:
        answer = whole_answer(chat, terminal, status, wanted, asked)
    except KeyboardInterrupt:
        raise UserInterruptError("interrupted", data=chat_data(chat)) from None
    except NetworkError as error:
        if chat.session.last is not None:
            error.data = chat_data(chat)
        raise
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


def whole_answer(chat: OpenChat, terminal: Terminal, status: StatusLine, wanted: Conversation, asked: Turn) -> Answer:
    """The answer to ``asked``. A remote that is waited for is named in the status line, and its notices are printed.

    It raises what the answer raises.
    """
    from phicli.answering.pool import whole

    def say(notice: Notice) -> None:
        if chat.waiting and not wanted.quiet:
            status.clear()
            terminal.say(f"note: {notice.text}")
            status.update(chat.waiting)

    if chat.waiting:
        status.update(chat.waiting)
    try:
        return whole(chat.session.ask(asked.question, asked.attachments, asked.steps), on_notice=say)
    finally:
        status.clear()


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
