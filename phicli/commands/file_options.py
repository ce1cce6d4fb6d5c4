"""Options of ``phi chat`` about files: which go with the question, and how they become text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from phicli.chat.dialogue import Attachment
    from phicli.chat.files.reading import FileReader
    from phicli.commands.conversation_options import FileOptions
    from phicli.ui.terminal import Terminal


def _known_encoding(value: str | None) -> str | None:
    """``value``, when it is the name of a text encoding.

    Raises:
        UsageError: it is not.
    """
    if value is not None:
        from phicli.chat.files.text import check_encoding

        check_encoding(value)
    return value


Files = Annotated[
    list[str] | None,
    typer.Option("--file", "-f", help="Send this text file with the question. Can be repeated.", show_default=False),
]
InputEncoding = Annotated[
    str | None,
    typer.Option(
        "--input-encoding",
        callback=_known_encoding,
        help="Encoding of piped text and files, e.g. latin-1 [default: UTF-8].",
        show_default=False,
    ),
]
Lossy = Annotated[bool, typer.Option("--lossy", help="Replace bytes that are not text with U+FFFD.")]
SendSecrets = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before a file that looks secret is sent.")]


def file_reader(terminal: Terminal, options: FileOptions, *, quiet: bool) -> FileReader:
    """What reads files for a person at ``terminal``; off a terminal, files that look secret need ``--yes``."""
    from phicli.chat.files.reading import FileReader
    from phicli.ui.confirm import confirm

    def allow(question: str) -> bool:
        return options.yes or (terminal.can_ask and confirm(terminal, f"{question} Send it?"))

    def tell(text: str) -> None:
        if not quiet:
            terminal.say(f"note: {text}")

    return FileReader(options.text_encoding, allow, tell)


def attachments_of(terminal: Terminal, options: FileOptions, *, quiet: bool) -> tuple[Attachment, ...]:
    """The files that were named with ``--file``, each once.

    Raises:
        PhiError: one of them cannot be sent.
    """
    if not options.names:
        return ()
    reader = file_reader(terminal, options, quiet=quiet)
    return tuple(reader.read(name) for name in dict.fromkeys(options.names))
