"""The prompt of a command: its argument, standard input, or both."""

from __future__ import annotations

import os
import stat
import threading
from array import array
from dataclasses import dataclass
from pathlib import Path

from phicli.chat.dialogue import Attachment, Turn
from phicli.chat.files.text import MOST_BYTES, UTF8, TextEncoding, decode
from phicli.errors import UsageError
from phicli.plan.chat_options import check_text
from phicli.ui.terminal import Terminal
from phicli.units import counted, format_bytes

_PATIENCE_S = 2.0
_SHELLS = ("ash", "bash", "busybox", "dash", "ksh", "sh", "zsh")
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
    encoding: TextEncoding = UTF8, interactive: bool = False,
) -> Prompt | None:  # fmt: skip
    """What to send, or None when a person is to be asked in a terminal.

    Beside an argument standard input is read only if it is a pipe, a socket or a file; ``-`` as the argument reads it
    whatever it is. ``encoding`` is that of standard input. An ``interactive`` conversation needs no prompt.

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
    if argument is None and not forced and _asks_person(terminal, no_stdin=no_stdin, interactive=interactive):
        return None
    piped = "" if no_stdin else _piped(terminal, encoding, beside_argument=argument is not None, quiet=quiet)
    piped = check_text("standard input", piped.rstrip("\r\n"))
    if argument is not None:
        return Prompt(check_text("the prompt", argument), (Attachment("", piped),) if piped.strip() else ())
    if not piped.strip() and not interactive:
        raise UsageError("no prompt was given: standard input is empty", _HOW_TO)
    return Prompt(piped) if piped.strip() else None


def _asks_person(terminal: Terminal, *, no_stdin: bool, interactive: bool) -> bool:
    """Whether a person is to be asked, because nothing was typed and nothing is piped in.

    Raises:
        UsageError: nobody can be asked.
    """
    if not no_stdin and not terminal.stdin.isatty():
        return False
    if interactive or (terminal.interactive and not no_stdin):
        return True
    why = "" if no_stdin else ", and standard output is not a terminal"
    raise UsageError(f"no prompt was given{why}", _HOW_TO)


def _piped(terminal: Terminal, encoding: TextEncoding, *, beside_argument: bool, quiet: bool) -> str:
    if beside_argument and not _is_pipe_or_file(terminal):
        return ""
    advice = " (to ignore it: --no-stdin)" if beside_argument else ""
    in_a_loop = beside_argument and (_was_read_from(terminal) or _is_of_a_shell(terminal))
    data = read_input(terminal, MOST_BYTES, quiet=quiet, advice=advice)

    def tell(text: str) -> None:
        if not quiet:
            terminal.say(f"note: {text}")

    if in_a_loop and data:
        size = counted(len(data), "byte")
        tell(f"{size} of standard input come before the prompt; in a shell loop, use --no-stdin")
    return decode(data, "standard input", encoding, tell)


def read_input(terminal: Terminal, most_bytes: int, *, quiet: bool, advice: str = "") -> bytes:
    """All of standard input; a person who waits is told what for, with ``advice``.

    Raises:
        UsageError: it has more than ``most_bytes``.
    """
    reminder = threading.Timer(_PATIENCE_S, terminal.say, [f"waiting for the end of standard input{advice}"])
    reminder.daemon = True
    if not quiet:
        reminder.start()
    try:
        data = terminal.stdin.buffer.read(most_bytes + 1)
    finally:
        reminder.cancel()
    if len(data) > most_bytes:
        raise UsageError(
            f"standard input has more than {format_bytes(most_bytes)}",
            "pipe in a part of it, or ignore it with --no-stdin",
        )
    return data


def waiting_bytes(terminal: Terminal) -> int:
    """How many bytes of a pipe or a file that is standard input can be read at once; 0 also where nobody knows."""
    if not _is_pipe_or_file(terminal):
        return 0
    descriptor = terminal.stdin.fileno()
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return max(os.fstat(descriptor).st_size - os.lseek(descriptor, 0, os.SEEK_CUR), 0)
        import fcntl
        import termios

        count = array("i", [0])
        fcntl.ioctl(descriptor, termios.FIONREAD, count)
        return count[0]
    except (ImportError, OSError):  # Windows has no such call
        return 0


def _was_read_from(terminal: Terminal) -> bool:
    """Whether standard input is a file whose beginning was read by another program: ``while read …; done < FILE``."""
    try:
        return os.lseek(terminal.stdin.fileno(), 0, os.SEEK_CUR) > 0
    except (OSError, ValueError):  # a pipe has no position
        return False


def _is_of_a_shell(terminal: Terminal) -> bool:
    """Whether the shell that started this program reads the same pipe: ``… | while read …; done``. Linux knows."""
    parent = Path(f"/proc/{os.getppid()}")
    try:
        ours, theirs = os.fstat(terminal.stdin.fileno()), (parent / "fd" / "0").stat()
        name = (parent / "comm").read_text().strip()
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(ours.st_mode) and os.path.samestat(ours, theirs) and name in _SHELLS


def _is_pipe_or_file(terminal: Terminal) -> bool:
    try:
        mode = os.fstat(terminal.stdin.fileno()).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)
