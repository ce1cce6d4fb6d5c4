"""What ``phi chat`` does with its options: one answer, or a conversation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from phicli.chat.open import OpenChat, open_chat
from phicli.chat.repl import run_repl
from phicli.errors import UsageError, UserInterruptError
from phicli.paths import state_dir
from phicli.plan.last_used import last_used, remember_last_used
from phicli.plan.load import Use
from phicli.plan.request import ChatOptions
from phicli.ui.answer import AnswerPrinter, answer_data
from phicli.ui.envelope import print_result
from phicli.ui.prompt_input import read_prompt
from phicli.ui.status import StatusLine
from phicli.ui.terminal import Terminal


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


def hold(wanted: Conversation) -> None:
    """Hold the conversation that was asked for, on the process's own terminal."""
    terminal = Terminal.current()
    prompt = read_prompt(terminal, wanted.prompt, no_stdin=wanted.no_stdin)
    if prompt is None and wanted.as_json:
        raise UsageError("--json needs a prompt", "phi chat MODEL 'your question' --json")
    name = wanted.model or last_used()
    use = Use.CONVERSATION if prompt is None else Use.ONE_ANSWER
    with StatusLine(terminal, enabled=not wanted.quiet) as status:

        def loading(waited_s: float) -> None:
            status.update(f"loading {name}: {waited_s:.0f} s")

        with open_chat(name, wanted.options, use, loading) as opened:
            if prompt is None:
                _talk(opened, terminal, status, wanted)
            elif wanted.as_json:
                _answer_as_json(opened, terminal, prompt)
            else:
                printer = AnswerPrinter(terminal, status, stream=wanted.stream, quiet=wanted.quiet)
                printer.show(opened.session.ask(prompt))
        remember_last_used(opened.plan.model.reference)


def _talk(opened: OpenChat, terminal: Terminal, status: StatusLine, wanted: Conversation) -> None:
    from phicli.ui.repl_screen import TerminalScreen

    screen = TerminalScreen(terminal, status, history_path=state_dir() / "chat_history", quiet=wanted.quiet)
    if not wanted.quiet:
        screen.tell(f"{opened.plan.model.name}; /help lists the commands, Ctrl-D leaves")
    run_repl(opened.session, screen)


def _answer_as_json(opened: OpenChat, terminal: Terminal, prompt: str) -> None:
    try:
        for _ in opened.session.ask(prompt):
            pass
    except KeyboardInterrupt:
        raise UserInterruptError("interrupted", data=_data(opened)) from None
    print_result(terminal, "chat", _data(opened))


def _data(opened: OpenChat) -> dict[str, Any]:
    """The ``data`` of ``chat --json``: the answer, what made it, and with which settings."""
    answer = opened.session.last
    model = opened.session.model
    data = {"model": model.name, "quant": model.quant}
    if answer is not None:
        data |= answer_data(answer)
    return data | {"settings": opened.plan.settings_data()}
