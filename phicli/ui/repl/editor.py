"""Opens a text in the editor of a person: ``$VISUAL``, ``$EDITOR``, or an editor that is installed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from phicli.errors import UsageError
from phicli.ui.editor_command import editor_command

_COMMON: Final = ("notepad",) if sys.platform == "win32" else ("sensible-editor", "editor", "nano", "vim", "vi")


def edited(text: str) -> str:
    """``text`` as a person left it in an editor.

    Raises:
        UsageError: there is no editor, no place for its file, it failed, or it left nothing.
    """
    command = _editor()
    try:
        descriptor, name = tempfile.mkstemp(prefix="phi-question-", suffix=".md")
    except OSError as error:
        raise UsageError(f"no temporary file for the editor: {error.strerror}; the line was not changed") from None
    os.close(descriptor)
    path = Path(name)
    try:
        path.write_text(f"{text}\n" if text else "", encoding="utf-8", errors="replace", newline="\n")
        _run([*command, name])
        result = path.read_text(encoding="utf-8", errors="replace").rstrip()
    except OSError as error:
        raise UsageError(f"the editor {command[0]} failed: {error.strerror}; the line was not changed") from None
    finally:
        with contextlib.suppress(OSError):  # removed, or not a file any more
            path.unlink()
    if not result:
        raise UsageError("the editor left no text; the line was not changed")
    return result


def _editor() -> list[str]:
    try:
        chosen = editor_command()
    except UsageError as error:
        raise UsageError(f"{error.message}; the line was not changed") from None
    if chosen is not None:
        return chosen
    for name in _COMMON:
        if shutil.which(name):
            return [name]
    raise UsageError("there is no editor: set EDITOR, e.g. export EDITOR=nano")


@contextlib.contextmanager
def _ctrl_c_is_the_editors() -> Iterator[None]:
    """Within the context Ctrl-C does not reach the prompt, which would lose its line; the editor gets it as usual."""
    woken = signal.set_wakeup_fd(-1)  # the loop of the prompt waits there
    before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        signal.set_wakeup_fd(woken)


def _run(command: list[str]) -> None:
    with _ctrl_c_is_the_editors():
        code = subprocess.run(command, check=False).returncode
    if code:
        raise UsageError(f"the editor {command[0]} failed with exit code {code}; the line was not changed")
