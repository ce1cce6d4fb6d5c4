"""The editor of a person."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

from phicli.errors import PhiError, UsageError, reason_of
from phicli.ui.editor_command import editor_command


def run_editor(path: Path, command: str) -> None:
    """Open the file at ``path`` in the editor, and wait for its end; ``command`` is what was typed, for hints.

    Raises:
        UsageError: the variable of the editor cannot be read.
        PhiError: the editor cannot be started, or failed.
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
        raise PhiError(f"the editor {editor!r} cannot be run: {reason_of(error)}", how) from None
    if code:
        raise PhiError(f"the editor {editor!r} failed with exit code {code}", how)
