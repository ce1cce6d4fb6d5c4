"""The editor of a person."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from phicli.errors import PhiError, UsageError, reason_of


def run_editor(path: Path, command: str) -> None:
    """Open the file at ``path`` in the editor, and wait for its end; ``command`` is what was typed, for hints.

    Raises:
        UsageError: the variable of the editor cannot be read.
        PhiError: the editor cannot be started, or failed.
    """
    usual = "notepad" if sys.platform == "win32" else "vi"
    editor = next((found for name in ("VISUAL", "EDITOR") if (found := os.environ.get(name, "").strip())), usual)
    how = f"use another editor: EDITOR=nano {command}"
    try:
        code = subprocess.run([*shlex.split(editor, posix=sys.platform != "win32"), str(path)], check=False).returncode
    except ValueError as error:
        raise UsageError(f"the editor {editor!r} cannot be run: {error}", how) from None
    except OSError as error:
        raise PhiError(f"the editor {editor!r} cannot be run: {reason_of(error)}", how) from None
    if code:
        raise PhiError(f"the editor {editor!r} failed with exit code {code}", how)
