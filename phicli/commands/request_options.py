"""Options of ``phi chat`` for programs: what is asked as a list of messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from phicli.chat.dialogue import Dialogue, Turn
    from phicli.commands.conversation_options import Conversation
    from phicli.ui.terminal import Terminal

Messages = Annotated[
    str | None,
    typer.Option(
        "--messages",
        help="File with OpenAI messages to answer, tool calls and results included; - reads standard input.",
        show_default=False,
    ),
]
Events = Annotated[
    bool, typer.Option("--events", help="Print JSON lines: one object per event while the model answers.")
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Print the prompt that would be sent, and the planned memory; nothing is evaluated."
    ),
]
Logprobs = Annotated[
    int | None,
    typer.Option(
        "--logprobs", min=0, max=20,
        help="Add the log probability of each token of the answer, and the likeliest tokens there, up to 20; "
        "requires --json or --events.",
        show_default=False,
    ),
]  # fmt: skip
Samples = Annotated[
    int | None,
    typer.Option(
        "--samples", min=1, max=100,
        help="Answer this many times, up to 100, each with the next random seed.", show_default=False,
    ),
]  # fmt: skip
_MOST_BYTES: Final = 64 << 20
_HINT: Final = "name a file with OpenAI messages, or pipe them in: --messages -"


def check_samples(wanted: Conversation) -> None:
    """Return if ``--logprobs`` and ``--samples`` fit the other options.

    Raises:
        UsageError: they do not.
    """
    from phicli.errors import UsageError

    if wanted.logprobs is not None and not (wanted.as_json or wanted.events):
        raise UsageError("--logprobs requires --json or --events", "add --json")
    if wanted.samples is not None and wanted.session.asked:
        raise UsageError(
            "--samples and a saved session cannot be used together: a session has one answer per question",
            "leave out --samples, or --session and --continue",
        )


def check_alone(wanted: Conversation) -> None:
    """Return if nothing was typed that the messages would contradict.

    Raises:
        UsageError: something was.
    """
    from phicli.errors import UsageError

    others = {
        "a prompt": wanted.start.prompt is not None,
        "a template with a prompt": wanted.template is not None and wanted.template.prompt is not None,
        "--system": wanted.options.system is not None,
        "--file": bool(wanted.files.names),
        "--session": wanted.session.name is not None,
        "--continue": wanted.session.last,
        "--interactive": wanted.interactive,
        "--no-stdin": wanted.messages == "-" and wanted.no_stdin,
    }
    for name, was_typed in others.items():
        if was_typed:
            raise UsageError(
                f"--messages and {name} cannot be used together", f"leave out {name}, or put it into the messages"
            )


def request_in(name: str, terminal: Terminal, *, quiet: bool, no_stdin: bool) -> tuple[Dialogue, Turn]:
    """What the messages in the file ``name`` ask: what was said before, and the question.

    A note says that piped text is not read, unless it was to be ignored (``no_stdin``).

    Raises:
        PhiError: the file cannot be read, or its messages ask nothing.
    """
    from phicli.chat.importing import read_request
    from phicli.errors import NotFoundError, UsageError, reason_of
    from phicli.paths import expand
    from phicli.ui.prompt_input import read_input, waiting_bytes
    from phicli.units import counted, format_bytes

    if not name:
        raise UsageError("--messages is empty", _HINT)
    notes = not quiet and not no_stdin
    where = "standard input" if name == "-" else name
    try:
        if name == "-":
            content = read_input(terminal, _MOST_BYTES, quiet=quiet)
        else:
            with expand(name).open("rb") as file:
                content = file.read(_MOST_BYTES + 1)
            if notes and (waiting := waiting_bytes(terminal)):
                size = counted(waiting, "byte")
                terminal.say(f"note: {size} of standard input are not read; to read messages from there: --messages -")
    except FileNotFoundError:
        raise NotFoundError(f"the file {name} does not exist", _HINT) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{where} cannot be read: {reason_of(error)}", _HINT) from error
    if len(content) > _MOST_BYTES:
        raise UsageError(f"{where} has more than {format_bytes(_MOST_BYTES)}", "send fewer messages")
    return read_request(content, where)
