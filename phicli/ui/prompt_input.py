"""The prompt of a command: its argument, standard input, or both."""

from __future__ import annotations

import os
import stat
import threading

from phicli.errors import UsageError
from phicli.plan.chat_options import check_text
from phicli.ui.terminal import Terminal

_PATIENCE_S = 2.0
_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be", b"\xef\xbb\xbf": "utf-8"}
_HOW_TO = "give a prompt: phi chat MODEL 'your question', or pipe text into it"


def read_prompt(terminal: Terminal, argument: str | None, *, no_stdin: bool = False, quiet: bool = False) -> str | None:
    """The text to send, or None when a person is to be asked in a terminal.

    Piped text comes first, then a blank line, then the argument. Beside an argument standard input is read only if it
    is a pipe, a socket or a file; ``-`` as the argument reads it whatever it is.

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
    piped = "" if no_stdin else _piped(terminal, beside_argument=argument is not None, quiet=quiet)
    parts = [part for part in (piped.rstrip("\r\n"), argument) if part and part.strip()]
    if not parts:
        raise UsageError("no prompt was given: standard input is empty", _HOW_TO)
    return check_text("the prompt", "\n\n".join(parts))


def _piped(terminal: Terminal, *, beside_argument: bool, quiet: bool) -> str:
    if beside_argument and not _is_pipe_or_file(terminal):
        return ""
    advice = " (to ignore it: --no-stdin)" if beside_argument else ""
    reminder = threading.Timer(_PATIENCE_S, terminal.say, [f"waiting for the end of standard input{advice}"])
    reminder.daemon = True
    if not quiet:
        reminder.start()
    try:
        return decode(terminal.stdin.buffer.read())
    finally:
        reminder.cancel()


def _is_pipe_or_file(terminal: Terminal) -> bool:
    try:
        mode = os.fstat(terminal.stdin.fileno()).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


def decode(data: bytes) -> str:
    """Text of ``data``: UTF-8, or UTF-16 with a byte order mark as Windows writes it.

    Raises:
        UsageError: it is neither; says where.
    """
    encoding = "utf-8"
    for mark, name in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            encoding, data = name, data[len(mark) :]
            break
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UsageError(
            f"standard input is not UTF-8 text: byte 0x{data[error.start]:02x} at offset {error.start}",
            "convert it first, for example with: iconv -f latin1 -t utf-8",
        ) from None
