"""A conversation in a terminal, put together: the screen, the commands and what they act on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from phicli.answering.types import Answer
from phicli.chat.commands.turns import where_it_stands
from phicli.chat.dialogue import Attachment, Turn
from phicli.chat.open import OpenChat
from phicli.chat.repl import run_repl
from phicli.chat.talk import Code, Talk
from phicli.commands.adapters.names import complete_adapter
from phicli.commands.conversation_options import Conversation
from phicli.commands.file_options import file_reader
from phicli.commands.meter_facts import meter_facts
from phicli.commands.model_names import complete_usable
from phicli.commands.overflowing import overflow_of
from phicli.commands.recording import Recording
from phicli.commands.steering import ExportFiles, FullContext
from phicli.commands.switching import Switching
from phicli.errors import PhiError
from phicli.paths import state_dir
from phicli.ui.repl.screen import TerminalScreen
from phicli.ui.status import StatusLine
from phicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from phicli.chat.store.sessions import SavedSession


def talk(
    chat: OpenChat, terminal: Terminal, status: StatusLine, wanted: Conversation, recording: Recording,
    files: Sequence[Attachment], first: Turn | None, on_end: Callable[[Answer, bool], None],
) -> None:  # fmt: skip
    """Talk with a person until that person leaves.

    ``first`` is the first question where it was asked already, ``files`` included; else ``files`` go with the next one.
    """
    screen = TerminalScreen(
        terminal, status, history_path=state_dir() / "chat_history" if wanted.session.keeps_history else None,
        quiet=wanted.quiet, plain=wanted.plain, stats=wanted.stats, on_end=on_end,
        names=partial(_names, recording), meter=lambda: meter_facts(chat, recording),
        waiting=lambda: chat.waiting,
    )  # fmt: skip
    if not wanted.quiet:
        _greet(chat, screen, recording, wanted.session.name)
    screen.prepare()
    overflow = overflow_of(wanted, screen=screen, on_choice=recording.set_policy)
    chat.session.fitting = overflow
    full = FullContext(overflow, recording, wanted.session.on_overflow)
    models = Switching(chat, terminal, screen.tell, recording.set_model, keeps_adapters=wanted.adapters_typed)

    def go_on(saved: SavedSession) -> None:
        chat.session.load(saved.dialogue)
        full.begin(saved.on_overflow)

    recording.on_begin, recording.on_load, recording.on_loaded = full.begin, models.load_for, go_on
    talk = Talk(
        chat.session, screen, models=models, record=recording,
        files=file_reader(terminal, wanted.files, quiet=wanted.quiet), policies=full, exports=ExportFiles(chat),
        code_blocks=_code_blocks, pending=() if first is not None else files,
    )  # fmt: skip
    try:
        run_repl(talk, first)
    finally:
        screen.close()


def _code_blocks(text: str) -> Sequence[Code]:
    from phicli.ui.markdown.stream import code_blocks

    return code_blocks(text)


def _greet(chat: OpenChat, screen: TerminalScreen, recording: Recording, new: str | None) -> None:
    """Say which model answers, and where the conversation stands; ``new`` is the name of a session that begins."""
    screen.tell(f"{chat.plan.model.name}; /help lists the commands, Ctrl-D ends the conversation")
    if chat.session.dialogue.turns:
        screen.tell(where_it_stands(chat.session.dialogue, recording.name))
    elif new is not None:
        screen.tell(f"a new session: {new}")


def _names(recording: Recording, kind: str, beginning: str) -> Sequence[str]:
    """The names of a kind that begin with a text, for completion; none where they cannot be read."""
    if kind == "model":
        return complete_usable(beginning)
    if kind == "adapter":
        return complete_adapter(beginning)
    if kind == "session":
        try:
            names = recording.names()
        except PhiError:
            return ()
        return [name for name in names if name.lower().lstrip('"').startswith(beginning.lower().lstrip('"'))]
    return ()
