"""What ``phi chat`` does with its options: one answer, or a conversation."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phicli.commands.locating import locate_or_offer
from phicli.engine.starting import start_early
from phicli.errors import UsageError, UserInterruptError
from phicli.hardware.threads import notice_threads
from phicli.paths import state_dir
from phicli.plan.chat_options import ChatOptions
from phicli.plan.last_used import last_used, remember_last_used
from phicli.plan.locate import LocatedModel
from phicli.ui.envelope import print_result
from phicli.ui.prompt_input import read_prompt
from phicli.ui.status import StatusLine
from phicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from phicli.chat.open import OpenChat
    from phicli.engine.process import EngineProcess


@dataclass(frozen=True, slots=True)
class Conversation:
    """What was typed: the model and the prompt (None where absent), the options, and how to print."""

    model: str | None
    prompt: str | None
    options: ChatOptions
    as_json: bool
    stream: bool
    no_stdin: bool
    quiet: bool
    memory_check: bool = True


def hold(wanted: Conversation) -> None:
    """Hold the conversation that was asked for, on the process's own terminal.

    The engine's process starts as soon as the file is known: its interpreter and library load while ours still imports.
    """
    terminal = Terminal.current()
    name = last_used() if wanted.model is None else wanted.model
    model = locate_or_offer(name, terminal, ask=not wanted.as_json, quiet=wanted.quiet)
    prompt = read_prompt(terminal, wanted.prompt, no_stdin=wanted.no_stdin, quiet=wanted.quiet)
    if prompt is None and wanted.as_json:
        raise UsageError("--json needs a prompt", "phi chat MODEL 'your question' --json")
    if "threads" in wanted.options.engine and not wanted.quiet:
        notice_threads([wanted.options.engine["threads"]], terminal.say)
    early = start_early() if model.path.is_file() else None
    with contextlib.ExitStack() as stack:
        if early is not None:
            stack.callback(early.close)  # Ctrl-C may come before anybody else has it
        _hold(wanted, terminal, model, prompt, early)
    remember_last_used(model.reference)


def _hold(
    wanted: Conversation, terminal: Terminal, model: LocatedModel, prompt: str | None, early: EngineProcess | None
) -> None:
    from phicli.answering.opening import open_model
    from phicli.chat.open import open_chat
    from phicli.fit.too_large import on_too_large
    from phicli.plan.load import Use
    from phicli.plan.tuned_here import tuned_for

    tuned = tuned_for(model.path, tell=not wanted.quiet)
    if tuned.stale is not None:
        from phicli.ui.bench.tuned_settings import stale_says

        terminal.say(stale_says(tuned.stale, model.reference))
    use = Use.CONVERSATION if prompt is None else Use.ONE_ANSWER
    with StatusLine(terminal, enabled=not wanted.quiet) as status:

        def loading(waited_s: float) -> None:
            status.update(f"loading {model.name}: {waited_s:.0f} s")

        too_large = on_too_large(terminal.say if not wanted.quiet else lambda _: None, check=wanted.memory_check)
        with open_model(
            model, wanted.options, use, early=early, tuned=tuned.current, on_tick=loading, on_too_large=too_large
        ) as loaded:
            opened = open_chat(loaded)
            if prompt is None:
                _talk(opened, terminal, status, wanted)
            elif wanted.as_json:
                _answer_as_json(opened, terminal, prompt)
            else:
                _answer_as_text(opened, terminal, status, wanted, prompt)


def _answer_as_text(
    opened: OpenChat, terminal: Terminal, status: StatusLine, wanted: Conversation, prompt: str
) -> None:
    from phicli.ui.answer import AnswerPrinter

    printer = AnswerPrinter(terminal, status, stream=wanted.stream, quiet=wanted.quiet)
    printer.show(opened.session.ask(prompt))


def _talk(opened: OpenChat, terminal: Terminal, status: StatusLine, wanted: Conversation) -> None:
    from phicli.chat.repl import run_repl
    from phicli.ui.repl_screen import TerminalScreen

    screen = TerminalScreen(terminal, status, history_path=state_dir() / "chat_history", quiet=wanted.quiet)
    if not wanted.quiet:
        screen.tell(f"{opened.plan.model.name}; /help lists the commands, Ctrl-D ends the conversation")
    screen.prepare()
    run_repl(opened.session, screen)


def _answer_as_json(opened: OpenChat, terminal: Terminal, prompt: str) -> None:
    from phicli.answering.pool import whole
    from phicli.ui.answer import chat_data

    try:
        whole(opened.session.ask(prompt))
    except KeyboardInterrupt:
        raise UserInterruptError("interrupted", data=chat_data(opened)) from None
    print_result(terminal, "chat", chat_data(opened))
