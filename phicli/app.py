"""The root of the command line, and the only place that makes exit codes of errors."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

import phicli
from phicli.commands import chat
from phicli.errors import DoesNotFitError, PhiError, UsageError
from phicli.ui.envelope import print_error
from phicli.ui.terminal import Terminal

_CLOSED_EARLY = 141
_INTERRUPTED = 130

app = typer.Typer(
    name="phi",
    help=phicli.__doc__,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command("chat")(chat.chat)
app.command("run", hidden=True, help="Same as chat.")(chat.chat)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"phi {phicli.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[  # noqa: ARG001 (the callback acts)
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Pick, download, run and measure Microsoft's Phi language models on the machine at hand."""


def main(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code (the table is in the README)."""
    terminal = Terminal.current()
    command = next((word for word in argv if not word.startswith("-")), "phi")
    as_json = "--json" in argv
    try:
        code = app(args=list(argv), prog_name="phi", standalone_mode=False)
        terminal.stdout.flush()
        return code if isinstance(code, int) else 0
    except BrokenPipeError:
        return _closed_early()
    except PhiError as error:
        return _report(terminal, command, error, as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        return _INTERRUPTED
    except typer.TyperException as error:
        usage = UsageError(_sentence(error), f"phi {command} --help" if command != "phi" else "phi --help")
        return _report(terminal, command, usage, as_json=as_json)
    except OSError as error:
        return _report(terminal, command, _from_system(error), as_json=as_json)
    except Exception as error:  # noqa: BLE001 (the one place: a bug is reported, not thrown at a person)
        return _report(terminal, command, _bug(error), as_json=as_json)


def _report(terminal: Terminal, command: str, error: PhiError, *, as_json: bool) -> int:
    try:
        print_error(terminal, command, error, as_json=as_json)
    except BrokenPipeError:
        return _closed_early()
    except OSError:  # the stream itself is what failed
        _silence_stdout()
    return error.exit_code


def _closed_early() -> int:
    """Whoever read standard output has left (``| head``): nothing more to say."""
    _silence_stdout()
    return _CLOSED_EARLY


def _silence_stdout() -> None:
    """Keep the interpreter from complaining about what it cannot flush when it ends."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _sentence(error: typer.TyperException) -> str:
    text = getattr(error, "format_message", lambda: str(error))()
    return text[:1].lower() + text[1:].rstrip(".")


def _from_system(error: OSError) -> PhiError:
    where = f": {error.filename}" if error.filename else ""
    if error.errno == errno.ENOSPC:
        return DoesNotFitError(f"the disk is full{where}", "free some space and run it again")
    return PhiError(f"the system refuses: {error.strerror or error}{where}", "check the path and its permissions")


def _bug(error: Exception) -> PhiError:
    if os.environ.get("PHI_DEBUG"):
        raise error
    return PhiError(
        f"unexpected {type(error).__name__}: {error}",
        "this is a bug in phi; run it again with PHI_DEBUG=1 and report what it shows",
    )
