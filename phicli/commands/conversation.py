"""What ``phi chat`` does with its options: one answer, or a conversation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from phicli.commands.locating import locate_or_offer
from phicli.engine.read_ahead import ReadAhead
from phicli.engine.starting import ENGINES, EngineChoice, build_of, find_program
from phicli.errors import UsageError, UserInterruptError
from phicli.gguf_file.names import parts_of
from phicli.hardware.threads import notice_threads
from phicli.paths import state_dir
from phicli.plan.chat_options import ChatOptions
from phicli.plan.last_used import last_used, remember_last_used
from phicli.plan.locate import LocatedModel
from phicli.records.tuned_folder import anything_tuned
from phicli.ui.envelope import print_result
from phicli.ui.prompt_input import read_prompt
from phicli.ui.status import StatusLine, loading_says
from phicli.ui.terminal import Terminal
from phicli.units import how_far

if TYPE_CHECKING:
    from collections.abc import Callable

    from phicli.answering.opening import OpenModel
    from phicli.answering.types import Answer
    from phicli.chat.open import OpenChat
    from phicli.engine.engine_process import EngineProcess
    from phicli.plan.load import Use
    from phicli.plan.tuned_here import TunedHere

    OnEnd = Callable[[Answer], None]


@dataclass(frozen=True, slots=True)
class Conversation:
    """What was typed: the model, the prompt and the engine (None where absent), the options, and how to print."""

    model: str | None
    prompt: str | None
    options: ChatOptions
    engine: EngineChoice | None
    as_json: bool
    stream: bool
    no_stdin: bool
    quiet: bool
    memory_check: bool = True
    stats: bool = False
    verbose: bool = False


def hold(wanted: Conversation, early: EngineProcess | None = None) -> None:
    """Hold the conversation that was asked for, on the process's own terminal.

    ``early`` is a process of the engine that was started before this module was imported.
    """
    terminal = Terminal.current()
    if wanted.engine is not None:
        find_program(wanted.engine.name, wanted.engine.program)  # first of all: a download may follow
    name = last_used() if wanted.model is None else wanted.model
    model = locate_or_offer(name, terminal, ask=not wanted.as_json, quiet=wanted.quiet)
    typed = read_prompt(terminal, wanted.prompt, no_stdin=wanted.no_stdin, quiet=wanted.quiet)
    prompt = None if typed is None else typed.text
    if prompt is None and wanted.as_json:
        raise UsageError("--json needs a prompt", "phi chat MODEL 'your question' --json")
    if "threads" in wanted.options.engine and not wanted.quiet:
        notice_threads([wanted.options.engine["threads"]], terminal.say)
    engine, tuned = _chosen(wanted, model, prompt)
    if early is not None and not ENGINES[engine.name].starts_early:  # another engine was found faster
        early.close()
        early = None
    _hold(wanted, terminal, model, prompt, engine, early, tuned)
    remember_last_used(model.reference)


def _chosen(wanted: Conversation, model: LocatedModel, prompt: str | None) -> tuple[EngineChoice, TunedHere | None]:
    """The engine and its tuned settings; no file is read if nothing was tuned."""
    if not anything_tuned():
        return wanted.engine or EngineChoice(), None
    from phicli.plan.tuned_here import tuned_for

    tuned = tuned_for(model.path, _use(prompt).tuned_as, engine=wanted.engine, tell=not wanted.quiet)
    return tuned.engine, tuned


def _use(prompt: str | None) -> Use:
    from phicli.plan.load import Use

    return Use.CONVERSATION if prompt is None else Use.ONE_ANSWER


def _hold(
    wanted: Conversation, terminal: Terminal, model: LocatedModel, prompt: str | None, engine: EngineChoice,
    early: EngineProcess | None, tuned: TunedHere | None,
) -> None:  # fmt: skip
    from phicli.answering.opening import open_model
    from phicli.chat.open import open_chat
    from phicli.fit.too_large import on_too_large

    if tuned is not None and tuned.stale is not None:
        from phicli.ui.bench.tuned_settings import stale_says

        terminal.say(stale_says(tuned.stale, model.reference))
    reading = ReadAhead(() if ENGINES[engine.name].reads_llama else parts_of(model.path))
    with StatusLine(terminal, enabled=not wanted.quiet) as status:

        def loading(waited_s: float) -> None:
            status.update(loading_says(model.name, waited_s, reading.so_far))

        def writing(what: str, done_bytes: int, total_bytes: int) -> None:
            status.update(how_far(what, done_bytes, total_bytes))

        too_large = on_too_large(terminal.say if not wanted.quiet else lambda _: None, check=wanted.memory_check)
        with (
            open_model(
                model, wanted.options, _use(prompt), engine=engine, early=early, tuned=tuned.current if tuned else None,
                only_question=prompt, on_tick=loading, on_progress=writing, on_too_large=too_large,
            ) as loaded,
            reading,
        ):  # fmt: skip
            opened = open_chat(loaded)
            if not wanted.quiet:
                for notice in opened.plan.notices:
                    terminal.say(f"note: {notice}")
            if wanted.verbose:
                _say_start(opened, terminal, loaded.build or build_of(engine.name))
            on_end = _stats_printer(terminal, loaded, reading) if wanted.stats else None
            _converse(opened, terminal, status, wanted, prompt, on_end)


def _converse(
    opened: OpenChat, terminal: Terminal, status: StatusLine, wanted: Conversation, prompt: str | None,
    on_end: OnEnd | None,
) -> None:  # fmt: skip
    """Print the answer to ``prompt``; without one, answer a person."""
    if prompt is None:
        _talk(opened, terminal, status, wanted, on_end)
    elif wanted.as_json:
        _answer_as_json(opened, terminal, prompt, on_end)
    else:
        from phicli.ui.answer import AnswerPrinter

        printer = AnswerPrinter(terminal, status, stream=wanted.stream, quiet=wanted.quiet, on_end=on_end)
        printer.show(opened.session.ask(prompt))


def _say_start(opened: OpenChat, terminal: Terminal, build: str) -> None:
    from phicli.ui.answer_stats import print_start

    print_start(terminal, opened.plan, build)


def _stats_printer(terminal: Terminal, loaded: OpenModel, reading: ReadAhead) -> OnEnd:
    """What prints the numbers of an answer; the engine that made it still runs then."""
    from phicli.bench.measuring.peak_memory import PeakMemory
    from phicli.ui.answer_stats import print_stats

    first = [reading]

    def print_numbers(answer: Answer) -> None:
        memory = PeakMemory(loaded.engines[-1].pid)
        memory.look()
        print_stats(terminal, answer, memory.peak, first.pop().so_far if first else None)

    return print_numbers


def _talk(opened: OpenChat, terminal: Terminal, status: StatusLine, wanted: Conversation, on_end: OnEnd | None) -> None:
    from phicli.chat.repl import run_repl
    from phicli.ui.repl_screen import TerminalScreen

    history = state_dir() / "chat_history"
    screen = TerminalScreen(terminal, status, history_path=history, quiet=wanted.quiet, on_end=on_end)
    if not wanted.quiet:
        screen.tell(f"{opened.plan.model.name}; /help lists the commands, Ctrl-D ends the conversation")
    screen.prepare()
    run_repl(opened.session, screen)


def _answer_as_json(opened: OpenChat, terminal: Terminal, prompt: str, on_end: OnEnd | None) -> None:
    from phicli.answering.pool import whole
    from phicli.ui.answer import chat_data

    try:
        answer = whole(opened.session.ask(prompt))
    except KeyboardInterrupt:
        raise UserInterruptError("interrupted", data=chat_data(opened)) from None
    print_result(terminal, "chat", chat_data(opened))
    if on_end is not None:
        on_end(answer)
