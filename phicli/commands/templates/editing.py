"""A template in an editor: a draft is changed, and becomes the template when it has no error."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

from phicli.commands.editor import run_editor
from phicli.commands.templates.checking import checked_template
from phicli.errors import UsageError
from phicli.paths import NO_HOME_HINT, NOWHERE, read_small, write_atomically, write_output
from phicli.templates.finding import SUFFIX, built_in_path, check_name, is_path, own_folder, own_path, read_file
from phicli.ui.terminal import Terminal

_FIRST: Final = b"""\
# A template of phi. An example: phi templates show summary
#
# description = "Summarize a text"
# system = "You summarize texts."
# prompt = \"\"\"
# {input}
#
# Summarize the text above in {sentences} sentences.\"\"\"
# temperature = 0.2
#
# [variables]
# sentences = "three"
"""


def edit_template(terminal: Terminal, name: str) -> tuple[Path, bool]:
    """Let a person change the template called ``name``; returns its path, and whether it was saved.

    Raises:
        UsageError: nobody can edit here, it cannot be a name, the editor failed, or the draft has an error; the draft
            is kept then.
        OSError: the draft or the template cannot be written.
    """
    if is_path(name):
        raise UsageError(
            f"{name} is a path, but only templates with a name can be edited here",
            f"change the file in an editor, then check it: phi templates show {name}",
        )
    path = own_path(check_name(name))
    if not terminal.can_ask:
        raise UsageError("an editor needs a terminal", f"write the template to {path}")
    if path.parent.parent == NOWHERE:
        raise UsageError("no home folder was found for the templates", NO_HOME_HINT)
    return path, _edit(terminal, name, path)


def _edit(terminal: Terminal, name: str, path: Path) -> bool:
    command, draft = f"phi templates edit {name}", own_folder() / f".{name}.draft{SUFFIX}"
    before = _content(path) or _content(built_in_path(name)) or _FIRST
    if draft.is_file():
        terminal.say(f"note: continuing the draft of {name} that was not saved: {draft}")
    else:
        write_atomically(draft, before, shared=True)
    try:
        run_editor(draft, command)
    except UsageError as error:
        if _content(draft) not in (before, None):
            error.hint = f"{error.hint}; the draft is saved: {draft}"
        raise
    finally:
        unchanged = _content(draft) in (before, None)
        if unchanged:
            draft.unlink(missing_ok=True)
    if unchanged:
        return False
    try:
        checked_template(read_file(name, draft, "yours"))
    except UsageError as error:
        error.hint = f"the draft is saved; to correct it: {command}; to discard it, remove {draft}"
        raise
    write_output(path, draft.read_bytes())
    draft.unlink()
    return True


def _content(path: Path) -> bytes | None:
    with contextlib.suppress(FileNotFoundError):
        return read_small(path)
    return None
