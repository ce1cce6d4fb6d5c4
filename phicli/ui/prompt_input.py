"""The prompt of a command: its argument, standard input, or both."""

from __future__ import annotations

import os
import stat
import threading
from dataclasses import dataclass

from phicli.chat.dialogue import Attachment, Turn
from phicli.chat.files.text import MOST_BYTES, UTF8, TextEncoding, decode
from phicli.errors import UsageError
from phicli.plan.chat_options import check_text
from phicli.ui.terminal import Terminal
from phicli.units import counted, format_bytes

_PATIENCE_S = 2.0
_HOW_TO = "give a prompt: phi chat MODEL 'your question', or pipe text into it"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question, and the piped text that comes before it as an attachment without a name.

    Piped text alone is the question.
    """

    question: str
    attachments: tuple[Attachment, ...] = ()

    @property
    def text(self) -> str:
        """All of it, as the model reads it: piped text, a blank line, the question."""
        return Turn(self.question, self.attachments).text


def read_prompt(
    terminal: Terminal, argument: str | None, *, no_stdin: bool = False, quiet: bool = False,
    encoding: TextEncoding = UTF8,
) -> Prompt | None:  # fmt: skip
    """What to send, or None when a person is to be asked in a terminal.

    Beside an argument standard input is read only if it is a pipe, a socket or a file; ``-`` as the argument reads it
    whatever it is. ``encoding`` is that of standard input.

    Raises:
        UsageError: there is nothing to send, or it is not text.
    """
    forced = argument == "-"
    if forced:
        argument = None
        if no_stdin:
            raise UsageError(
                "the prompt - reads standard input, so it cannot be used with --no-stdin", "leave out one of them"
            )
    if argument is not None and not argument.strip():
        raise UsageError("the prompt is empty", _HOW_TO)
    if argument is None and not forced:
        if no_stdin:
            raise UsageError("no prompt was given", _HOW_TO)
        if terminal.stdin.isatty():
            if terminal.interactive:
                return None
            raise UsageError("no prompt was given, and standard output is not a terminal", _HOW_TO)
    piped = "" if no_stdin else _piped(terminal, encoding, beside_argument=argument is not None, quiet=quiet)
    piped = check_text("standard input", piped.rstrip("\r\n"))
    if argument is not None:
        return Prompt(check_text("the prompt", argument), (Attachment("", piped),) if piped.strip() else ())
    if not piped.strip():
        raise UsageError("no prompt was given: standard input is empty", _HOW_TO)
    return Prompt(piped)


def _piped(terminal: Terminal, encoding: TextEncoding, *, beside_argument: bool, quiet: bool) -> str:
    if beside_argument and not _is_pipe_or_file(terminal):
        return ""
    advice = " (to ignore it: --no-stdin)" if beside_argument else ""
    reminder = threading.Timer(_PATIENCE_S, terminal.say, [f"waiting for the end of standard input{advice}"])
    reminder.daemon = True
    if not quiet:
        reminder.start()
    in_a_loop = beside_argument and _was_read_from(terminal)
    try:
        data = terminal.stdin.buffer.read(MOST_BYTES + 1)
    finally:
        reminder.cancel()
    if len(data) > MOST_BYTES:
        raise UsageError(
            f"standard input has more than {format_bytes(MOST_BYTES)}",
            "pipe in a part of it, or ignore it with --no-stdin",
        )

    def tell(text: str) -> None:
        if not quiet:
            terminal.say(f"note: {text}")

    if in_a_loop and data:
        size = counted(len(data), "byte")
        tell(f"{size} of standard input come before the prompt; in a shell loop, use --no-stdin")
    return decode(data, "standard input", encoding, tell)


def _was_read_from(terminal: Terminal) -> bool:
    """Whether standard input is a file whose beginning was read by another program: ``while read …; done < FILE``."""
    try:
        return os.lseek(terminal.stdin.fileno(), 0, os.SEEK_CUR) > 0
    except (OSError, ValueError):  # a pipe has no position
        return False


def _is_pipe_or_file(terminal: Terminal) -> bool:
    try:
        mode = os.fstat(terminal.stdin.fileno()).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)
