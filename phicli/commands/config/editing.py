"""The file in an editor: opened, and checked afterwards."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from phicli.commands.config.effective_value import problems_of
from phicli.commands.editor import run_editor
from phicli.errors import UsageError
from phicli.paths import settings_file, write_output
from phicli.settings.file import make_folder, read_settings
from phicli.ui.terminal import Terminal

_FIRST: Final = b"""\
# Settings of phi. Every key: phi config list --all
#
# model = "phi-4-mini"
# [chat]
# max_tokens = 512
"""
_SAVED: Final = "your changes are saved; to correct them: phi config edit"


def edit_settings(terminal: Terminal) -> Path:
    """Let a person change the file; returns its path.

    Raises:
        UsageError: nobody can edit here, the editor failed, or the file has a problem now: it has what the
            person wrote.
        OSError: the file cannot be made.
    """
    if not terminal.can_ask:
        raise UsageError("an editor needs a terminal", "change one setting: phi config set KEY VALUE")
    path = settings_file()
    is_new = not os.path.lexists(path)
    if is_new:
        make_folder(path)
        write_output(path, _FIRST)
    try:
        run_editor(path, "phi config edit")
    finally:
        if is_new and path.is_file() and path.read_bytes() == _FIRST:
            path.unlink()
    _check(terminal)
    return path


def _check(terminal: Terminal) -> None:
    problems = list(problems_of(read_settings()))
    for problem in problems[:-1]:
        terminal.alarm("error:", problem.message)
    if problems:
        data = {"problems": [{"message": one.message, "hint": one.hint} for one in problems]}
        raise UsageError(problems[-1].message, _SAVED, data=data)
