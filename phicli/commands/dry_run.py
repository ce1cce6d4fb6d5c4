"""``phi chat --dry-run``: what would be sent for the only question."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from phicli.chat.opened import here
from phicli.chat.remote import OpenRemote
from phicli.ui.envelope import print_result

if TYPE_CHECKING:
    from phicli.answering.opening import OpenModel
    from phicli.chat.dialogue import Turn
    from phicli.chat.open import OpenChat
    from phicli.commands.conversation_options import Conversation
    from phicli.engine.constraint import Constraint
    from phicli.structured.form import Form
    from phicli.ui.terminal import Terminal


def dry_run(
    chat: OpenChat, terminal: Terminal, wanted: Conversation, asked: Turn, make: Callable[[], Form] | None
) -> None:
    """Print what would be sent for ``asked``: the prompt, the form and what the model would take of the memory, or the
    request to a remote.

    Raises:
        UsageError: the form that ``make`` makes is wrong, or the engine cannot hold it.
        ContextExceededError: the prompt does not fit into the context, and would not be shortened; it has the data.
    """
    form = None
    if make is not None:
        from phicli.commands.formed_answer import constraints_of

        form = constraints_of(chat, make())[0]
    opened = chat.opened
    if isinstance(opened, OpenRemote):
        _of_remote(chat, opened, terminal, wanted, asked, form)
    else:
        _of_file(chat, here(opened), terminal, wanted, asked, form)


def _of_remote(
    chat: OpenChat, opened: OpenRemote, terminal: Terminal, wanted: Conversation, asked: Turn,
    form: Constraint | None,
) -> None:  # fmt: skip
    from dataclasses import replace

    from phicli.remotes.model import RemoteModel
    from phicli.ui.dry_run import print_request, request_data

    session, model = chat.session, chat.session.formed(opened.model)
    if isinstance(model, RemoteModel):  # which calls tools as it was asked to
        opened = replace(opened, model=model)
    body = opened.request(
        session.dialogue.messages(asked), tools=session.tools, ending=session.ending,
        sampling=replace(session.sampling, constraint=form) if form is not None else session.sampling,
    )  # fmt: skip
    if wanted.as_json:
        print_result(terminal, "chat", request_data(opened.plan, body.fields, body.ignored, session.dialogue.system))
    else:
        print_request(terminal, opened.plan, body.fields, body.ignored)


def _of_file(
    chat: OpenChat, opened: OpenModel, terminal: Terminal, wanted: Conversation, asked: Turn, form: Constraint | None
) -> None:
    from phicli.fit.memory import plan_memory
    from phicli.ui.dry_run import dry_run_data, print_dry_run

    session, plan = chat.session, opened.plan
    prompt = opened.model.prompt(session.dialogue.messages(asked), tools=session.tools, ending=session.ending)
    memory = plan_memory(plan.shape, plan.settings.engine, context_tokens=plan.settings.context_tokens)
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
