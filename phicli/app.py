"""The root of the command line, and the only place that makes exit codes of errors."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import typer

import phicli
from phicli.commands import ALIASES, GROUP_ALIASES, GROUPS, SUMMARIES
from phicli.commands.completion import answer, is_asked
from phicli.commands.group import LazyGroup, context_settings
from phicli.commands.profile import Profile
from phicli.commands.usage import usage_error
from phicli.errors import (
    OutputClosedError,
    PhiError,
    UsageError,
    UserInterruptError,
    disk_full,
    is_disk_full,
    reason_of,
)
from phicli.paths import own_folders
from phicli.settings.environment import drop_empty
from phicli.ui.envelope import print_error
from phicli.ui.terminal import Terminal, settle

_INTERRUPTED = UserInterruptError("interrupted")
_AS_DATA = frozenset({"--json", "--events"})
"""Options with which an error is printed as an object, too."""
_FULL_STOP = re.compile(r"(?<=[\w)\]'\"])\.\s*$")

_FROM_C = "PyCapsule_Import could not import"
"""How the error begins if a C module could not import another one. It does not name its cause: an interruption too."""


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Abort from None


class _Root(LazyGroup):
    """All commands; an interruption gets out as one, where Typer makes a return value of it."""

    def make_context(self, *args: Any, **more: Any) -> Any:
        """Read the command line up to the command."""
        with _interruptible():
            return super().make_context(*args, **more)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was typed."""
        with _interruptible():
            return super().invoke(ctx)


app = typer.Typer(
    name="phi",
    cls=_Root,
    help="Pick, download, run and measure Microsoft's Phi language models on your own machine.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=context_settings(),
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from phicli.engine.starting import build_of

        typer.echo(f"phi {phicli.__version__}\nengine: {build_of()}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the versions of phi and its engine."
        ),
    ] = False,
    profile: Profile = None,
) -> None:
    """Pick, download, run and measure Microsoft's Phi language models on your own machine."""


def main(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code (the table is in ``docs/scripting.md``)."""
    drop_empty(os.environ)
    try:
        return _complete(Terminal.current()) if is_asked() else _run(Terminal.current(), list(argv) or ["--help"])
    finally:
        settle()


def interrupted(argv: Sequence[str]) -> int:
    """The exit code after an interruption that came before :func:`main` could see it; with ``--json`` it is told."""
    options = _options(argv)
    code = _stopped(Terminal.current(), _command(options), as_json=not _AS_DATA.isdisjoint(options))
    settle()
    return code


def _complete(terminal: Terminal) -> int:
    """Answer a shell; whatever goes wrong, there is just nothing to complete."""
    with contextlib.suppress(PhiError, OSError, ValueError, typer.TyperException):
        text, code = answer(cast("_Root", typer.main.get_command(app)), os.environ)
        if text:
            terminal.write_line(text)
        return code
    return 1


def _run(terminal: Terminal, argv: list[str]) -> int:  # noqa: PLR0911 (one return for each kind of end)
    options = _options(argv)
    command = _command(options)
    as_json = not _AS_DATA.isdisjoint(options)
    try:
        code = app(args=argv, prog_name="phi", standalone_mode=False)
        terminal.write("")
        return code if isinstance(code, int) else 0
    except OutputClosedError as error:
        return error.exit_code
    except SystemExit as error:  # Typer's own answer to a closed pipe, and the end of a completion
        closed = isinstance(error.__context__, OSError) and error.__context__.errno == errno.EPIPE
        return OutputClosedError.exit_code if closed else int(error.code or 0)
    except (KeyboardInterrupt, typer.Abort):
        return _stopped(terminal, command, as_json=as_json)
    except PhiError as error:
        return _report(terminal, command, error, as_json=as_json)
    except typer.TyperException as error:
        return _report(terminal, command, usage_error(command, error, options), as_json=as_json)
    except OSError as error:
        return _report(terminal, command, _from_system(error), as_json=as_json)
    except Exception as error:  # noqa: BLE001 (the one place: a bug is reported, not thrown at a person)
        if _hides_interruption(error):
            return _stopped(terminal, command, as_json=as_json)
        return _report(terminal, command, _bug(error), as_json=as_json)


def _options(argv: Sequence[str]) -> list[str]:
    """What stands before ``--``."""
    words = list(argv)
    return words[: words.index("--")] if "--" in words else words


def _command(options: Sequence[str]) -> str:
    """The command that was typed (``chat``, ``cache list``), ``phi`` where there is none."""
    words = [word for place, word in enumerate(options) if options[place - 1 : place] != ["--profile"]]
    command, behind = _first(words, SUMMARIES, ALIASES)
    inner, _ = _first(behind, GROUPS[command], GROUP_ALIASES) if command in GROUPS else ("", [])
    return f"{command} {inner}".rstrip() or "phi"


def _first(words: Sequence[str], known: Container[str], aliases: Mapping[str, str]) -> tuple[str, Sequence[str]]:
    """The first of ``words`` that is ``known``, by its own name, and the words behind it; empty where none is."""
    for place, word in enumerate(words):
        if (name := aliases.get(word, word)) in known:
            return name, words[place + 1 :]
    return "", ()


def _stopped(terminal: Terminal, command: str, *, as_json: bool) -> int:
    """The exit code of an interruption, of which people read nothing and programs an object."""
    return _report(terminal, command, _INTERRUPTED, as_json=True) if as_json else _INTERRUPTED.exit_code


def _report(terminal: Terminal, command: str, error: PhiError, *, as_json: bool) -> int:
    error.message = _FULL_STOP.sub("", error.message)  # what libraries say are sentences
    try:
        print_error(terminal, command, error, as_json=as_json)
    except OutputClosedError:
        pass
    except OSError:  # standard output is what failed
        print_error(terminal, command, error, as_json=False)
    return error.exit_code


def _from_system(error: OSError) -> PhiError:
    where = f": {error.filename}" if error.filename else ""
    if error.errno == errno.ENAMETOOLONG:
        return UsageError(f"the name is too long{where[:100]}", "check the name for a typing error")
    if is_disk_full(error):
        return disk_full(after=where)
    if isinstance(error.filename, str) and (variable := _variable_for(Path(error.filename))):
        hint = f"set {variable} to a folder that you can write to"
        return UsageError(f"{error.filename} cannot be used: {reason_of(error)}", hint)
    return PhiError(
        f"the operating system reported an error: {reason_of(error)}{where}", "check the path and its permissions"
    )


def _variable_for(path: Path) -> str:
    """The variable that moves what is at ``path`` elsewhere; empty for what is not a folder of ``phi`` or the cache."""
    from phicli.hub.cache import cache_folder

    folders = {"PHI_HOME": own_folders(), "HF_HUB_CACHE": (cache_folder(),)}
    return next((name for name, those in folders.items() if any(_meet(path, folder) for folder in those)), "")


def _meet(path: Path, folder: Path) -> bool:
    """Whether ``path`` is ``folder``, is inside it, or is above it."""
    return path.is_relative_to(folder) or folder.is_relative_to(path)


def _bug(error: Exception) -> PhiError:
    if os.environ.get("PHI_DEBUG"):
        raise error
    return PhiError(
        f"unexpected {type(error).__name__}: {error}",
        "this is a bug in phi; run the command again with PHI_DEBUG=1 and report the output",
    )


def _hides_interruption(error: BaseException | None) -> bool:
    """Whether ``error`` was made of an interruption: while a class is made, or a module of C imports another."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt) or (isinstance(error, ImportError) and _FROM_C in str(error)):
            return True
        error = error.__cause__
    return False
