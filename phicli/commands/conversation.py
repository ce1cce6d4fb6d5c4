"""What ``phi chat`` does with its options: one answer, or a conversation."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from phicli.chat.dialogue import Attachment, Turn
from phicli.chat.remote import NamedRemote
from phicli.commands.conversation_options import Conversation
from phicli.commands.file_options import attachments_of
from phicli.commands.request import Request, request_of, require_one_question
from phicli.commands.resuming import dialogue_of, going_on, model_of
from phicli.commands.resuming_adapters import with_adapters
from phicli.errors import NetworkError, UsageError
from phicli.plan.last_used import remember_last_used
from phicli.ui.prompt_input import Prompt, read_prompt
from phicli.ui.status import StatusLine
from phicli.ui.terminal import Terminal
from phicli.ui.terminal_keyboard import at_keyboard, take_keyboard

if TYPE_CHECKING:
    from collections.abc import Callable

    from phicli.answering.types import Answer
    from phicli.chat.open import OpenChat
    from phicli.commands.opener import AnyOpening
    from phicli.commands.opening import Opening
    from phicli.commands.recording import Recording
    from phicli.engine.engine_process import StartedProcess
    from phicli.engine.read_ahead import ReadAhead
    from phicli.plan.locate import LocatedModel
    from phicli.structured.form import Form

    OnEnd = Callable[[Answer, bool], None]


def hold(wanted: Conversation, early: StartedProcess | None = None) -> None:
    """Hold the conversation that was asked for, on the process's own terminal.

    ``early`` is a process of the engine that was started before this module was imported.
    """
    piped = terminal = Terminal.current()
    if wanted.interactive:
        if wanted.as_json:
            raise UsageError("--interactive and --json cannot be used together", "leave out one of them")
        terminal = at_keyboard(terminal)
    if wanted.dry_run and wanted.events:
        raise UsageError("--dry-run and --events cannot be used together: nothing happens", "use --dry-run --json")
    if wanted.engine is not None and wanted.start.remote is None:
        from phicli.engine.starting import find_program

        find_program(wanted.engine.name, wanted.engine.program)  # first of all: a download may follow
    request = request_of(wanted, piped)
    model = model_of(wanted, terminal)
    wanted = with_adapters(wanted, model, partial(_note, wanted, terminal))
    prompt = None if request.turn is not None else _read_prompt(wanted, piped)
    if wanted.interactive:
        take_keyboard(terminal)
    talks = wanted.interactive or (prompt is None and request.turn is None)
    files = attachments_of(terminal, wanted.files, quiet=wanted.quiet)
    form = wanted.form.read()
    if talks:
        require_one_question(wanted)
    if "threads" in wanted.options.engine and not wanted.quiet and wanted.start.remote is None:
        from phicli.hardware.threads import notice_threads

        notice_threads([wanted.options.engine["threads"]], terminal.say)
    try:
        with StatusLine(terminal, enabled=not wanted.quiet) as status:
            _hold(wanted, terminal, status, model, prompt, files, early, form, request)
    except NetworkError as error:
        if isinstance(model, NamedRemote):
            error.hint += f"{'; ' if error.hint else ''}test it: phi remotes test {model.named.remote.name}"
        raise
    remember_last_used(model.reference)


def _hold(
    wanted: Conversation, terminal: Terminal, status: StatusLine, model: LocatedModel | NamedRemote,
    prompt: Prompt | None, files: tuple[Attachment, ...], early: StartedProcess | None,
    form: Callable[[], Form] | None, request: Request,
) -> None:  # fmt: skip
    """Open the model; print the answer to ``prompt``, or answer a person, ``prompt`` first where there is one."""
    from phicli.chat.open import ModelInUse, OpenChat, session_over
    from phicli.commands.opener import AnyOpening

    dialogue = request.dialogue(model) or dialogue_of(wanted, model, lambda text: _note(wanted, terminal, text))
    asked = request.turn if prompt is None else _asked(wanted, prompt, files)
    only = None if asked is None or wanted.interactive else asked
    sent = None if only is None else request.text(only)
    goes_on = going_on(wanted, dialogue, model)

    def local() -> Opening:
        from phicli.commands.opening import Opening

        return Opening(wanted, terminal, status, sent, early, goes_on)

    opening = AnyOpening(wanted, terminal, local)
    with ModelInUse(opening, model) as models:
        chat = OpenChat(session_over(models.opened, dialogue), models)
        recording = _recording(wanted, terminal, model) if only is None or wanted.session.asked else None
        if recording is not None:
            chat.session.on_change, chat.session.facts = recording.changed, chat.facts
        request.equip(chat)
        on_end = _stats_printer(terminal, chat, opening)
        if only is None and recording is not None:
            if asked is None:
                _word_first_question(wanted, terminal, chat)
            from phicli.commands.talking import talk

            talk(chat, terminal, status, wanted, recording, files, asked, on_end)
        elif only is not None and wanted.dry_run:
            from phicli.commands.dry_run import dry_run

            dry_run(chat, terminal, wanted, only, form)
        elif only is not None and form is not None:
            from phicli.commands.formed_answer import formed

            with formed(chat, form, wanted.form, wanted.samples or 1, recording):
                _answer(chat, terminal, status, wanted, only, recording, on_end, request)
        elif only is not None:
            _answer(chat, terminal, status, wanted, only, recording, on_end, request)
        _keep_state(wanted, terminal, chat, recording)


def _read_prompt(wanted: Conversation, terminal: Terminal) -> Prompt | None:
    """What to send, in the words of a person; None when a person is to be asked in a terminal."""

    def read(typed: str | None) -> Prompt | None:
        return read_prompt(
            terminal, typed, no_stdin=wanted.no_stdin, quiet=wanted.quiet, encoding=wanted.files.text_encoding,
            interactive=wanted.interactive,
        )  # fmt: skip

    if wanted.template is None or wanted.template.prompt is None:
        return read(wanted.start.prompt)
    from phicli.commands.templated_prompt import read_templated

    return read_templated(wanted.template.prompt, read, wanted.start.prompt, files=bool(wanted.files.names))


def _asked(wanted: Conversation, prompt: Prompt, files: tuple[Attachment, ...]) -> Turn:
    """The question, in the words of the template where there is one."""
    turn = Turn(prompt.question, (*files, *prompt.attachments))
    return turn if wanted.template is None else wanted.template.worded(turn)


def _word_first_question(wanted: Conversation, terminal: Terminal, chat: OpenChat) -> None:
    """In a conversation the first question is the input of the template."""
    if wanted.template is not None and wanted.template.takes_input:
        chat.session.wording = wanted.template.worded
        _note(wanted, terminal, f"the first question is the input of the template {wanted.template.name}")


def _keep_state(wanted: Conversation, terminal: Terminal, chat: OpenChat, recording: Recording | None) -> None:
    """Have the KV state of a saved session saved; with ``--verbose`` say what became of the one before, and of this."""
    notes = [chat.opened.state_note]
    answered = chat.session.last is not None  # else the engine may still have what was removed
    if wanted.session.keep_state and answered and recording is not None and recording.saved is not None:
        chat.opened.keep_state(recording.saved.info.session_id)
        notes.append(chat.opened.state_note)
    for note in dict.fromkeys(filter(None, notes)) if wanted.verbose else ():
        terminal.say(note)


def _answer(
    chat: OpenChat, terminal: Terminal, status: StatusLine, wanted: Conversation, asked: Turn,
    recording: Recording | None, on_end: OnEnd, request: Request,
) -> None:  # fmt: skip
    """Print the answer to the only question."""
    if wanted.shortens:
        from phicli.commands.overflowing import overflow_of

        chat.session.fitting = overflow_of(wanted)
    if wanted.samples is not None:
        from phicli.commands.samples import answer_samples

        answer_samples(
            chat, terminal, status, wanted, asked, request,
            partial(_print_answer, chat, terminal, status, wanted), on_end,
        )  # fmt: skip
        return
    if wanted.as_json or wanted.events:
        from phicli.commands.answer_data import answer_as_events, answer_as_json

        if wanted.events:
            answer = answer_as_events(chat, terminal, wanted, asked, recording, request)
        else:
            answer = answer_as_json(chat, terminal, status, wanted, asked, recording, request)
        if answer is not None:
            on_end(answer, wanted.stats)
        return
    _print_answer(chat, terminal, status, wanted, asked, on_end, request, "the answer")


def _print_answer(
    chat: OpenChat, terminal: Terminal, status: StatusLine, wanted: Conversation, asked: Turn, on_end: OnEnd,
    request: Request, name: str,
) -> None:  # fmt: skip
    """Print an answer, called ``name`` in notes."""
    from phicli.ui.answer import AnswerPrinter, print_calls

    streams = wanted.stream and (request.tools is None or terminal.stdout.isatty())  # a first answer may be wrong
    printer = AnswerPrinter(
        terminal, status, stream=streams, quiet=wanted.quiet, plain=wanted.plain or wanted.form.asked,
        wraps=not wanted.form.asked, calls_only=request.calls_only, names_calls=False, name=name,
        waiting=chat.waiting,
        on_end=lambda answer: on_end(answer, wanted.stats),
    )  # fmt: skip
    printer.show(chat.session.ask(asked.question, asked.attachments, asked.steps))
    request.check(chat)
    if chat.session.last is not None:
        print_calls(terminal, chat.session.last.tool_calls)


def _recording(wanted: Conversation, terminal: Terminal, model: LocatedModel | NamedRemote) -> Recording:
    """What saves the conversation. What goes on from before a question is saved as another session."""
    from phicli.chat.store.sessions import Sessions
    from phicli.commands.recording import Recording

    def tell(text: str) -> None:  # also with --quiet: else what was said would be lost in silence
        terminal.say(f"note: {text}")

    before = wanted.start.saved
    return Recording(
        lambda: Sessions(on_notice=tell), model.reference, tell,
        note=lambda text: _note(wanted, terminal, text), saves=wanted.session.save,
        saved=before if wanted.session.before is None else None, name=wanted.session.name if before is None else None,
        policy=None if before is None else before.on_overflow,
    )  # fmt: skip


def _note(wanted: Conversation, terminal: Terminal, text: str) -> None:
    if not wanted.quiet:
        terminal.say(f"note: {text}")


def _stats_printer(terminal: Terminal, chat: OpenChat, opening: AnyOpening) -> OnEnd:
    """What prints the numbers of an answer where they are wanted; the engine that made it still runs then."""
    answered: list[ReadAhead | None] = [None]

    def print_numbers(answer: Answer, wanted: bool) -> None:
        last, answered[0] = answered[0], opening.reading
        if not wanted:
            return
        from phicli.bench.measuring.peak_memory import peak_of
        from phicli.ui.answer_stats import print_stats

        peak, reading = peak_of(chat.opened.process_id), opening.reading
        read = None if reading is None or reading is last else reading.so_far
        declared, lent = chat.session.declared_tokens(), chat.opened.attached
        print_stats(terminal, answer, peak, read, declared, lent=lent)

    return print_numbers
