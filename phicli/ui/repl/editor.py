"""A text in the editor of a person: ``$VISUAL``, ``$EDITOR``, or one that is there."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from phicli.errors import UsageError

_COMMON: Final = ("notepad",) if sys.platform == "win32" else ("sensible-editor", "editor", "nano", "vim", "vi")


def edited(text: str) -> str:
    """``text`` as a person left it in an editor.

    Raises:
        UsageError: there is no editor, it failed, or it left nothing.
    """
    command = _editor()
    descriptor, name = tempfile.mkstemp(prefix="phi-question-", suffix=".md")
    os.close(descriptor)
    path = Path(name)
    try:
        path.write_text(f"{text}\n" if text else "", encoding="utf-8", errors="replace", newline="\n")
        _run([*command, name])
        result = path.read_text(encoding="utf-8", errors="replace").rstrip()
    except OSError as error:
        raise UsageError(f"the editor {command[0]} failed: {error.strerror}; the line is as before") from None
    finally:
        path.unlink(missing_ok=True)
    if not result:
        raise UsageError("the editor left no text; the line is as before")
    return result


def _editor() -> list[str]:
    for variable in ("VISUAL", "EDITOR"):
        given = os.environ.get(variable, "").strip()
        if given:
            try:
                return shlex.split(given, posix=sys.platform != "win32")
            except ValueError as error:
                raise UsageError(f"{variable} cannot be read: {error}; the line is as before") from None
    for name in _COMMON:
        if shutil.which(name):
            return [name]
    raise UsageError("there is no editor: set EDITOR, e.g. export EDITOR=nano")


def _run(command: list[str]) -> None:
    code = subprocess.run(command, check=False).returncode
    if code:
        raise UsageError(f"the editor {command[0]} failed with exit code {code}; the line is as before")
