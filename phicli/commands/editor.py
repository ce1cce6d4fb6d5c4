"""The editor of a person."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

from phicli.engine.exit_codes import signal_name
from phicli.errors import UsageError, reason_of
from phicli.ui.editor_command import editor_command


def run_editor(path: Path, command: str) -> None:
    """Open the file at ``path`` in the editor, and wait for its end; ``command`` is what was typed, for hints.

    Raises:
        UsageError: the variable of the editor cannot be read, or the editor cannot be started or failed.
    """
    how = f"use another editor: EDITOR=nano {command}"
    try:
        program = editor_command() or ["notepad" if sys.platform == "win32" else "vi"]
    except UsageError as error:
        raise UsageError(error.message, how) from None
    editor = shlex.join(program)
    try:
        code = subprocess.run([*program, str(path)], check=False).returncode
    except OSError as error:
        raise UsageError(f"the editor {editor!r} cannot be run: {reason_of(error)}", how) from None
    if code < 0:
        raise UsageError(f"the editor {editor!r} was ended by {signal_name(-code)}", f"run the command again, or {how}")
    if code:
        raise UsageError(f"the editor {editor!r} failed with exit code {code}", how)
