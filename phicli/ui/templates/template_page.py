"""What ``phi templates show`` and ``phi templates edit`` print."""

from __future__ import annotations

from pathlib import Path

from phicli.templates.types import Template
from phicli.ui.envelope import print_result
from phicli.ui.terminal import Terminal


def print_template(terminal: Terminal, template: Template, *, as_json: bool) -> None:
    """The text of a template as it is in its file.

    Raises:
        OutputClosedError: the reader has closed it.
    """
    file = template.file
    if as_json:
        value = file.content.value
        data = {
            "name": file.name,
            "origin": file.origin,
            "path": str(file.path),
            "description": template.description,
            "system": value(("system",)),
            "prompt": value(("prompt",)),
            "variables": {name: template.defaults.get(name) for name in template.variables},
            "takes_input": template.takes_input,
            "model": template.model,
            "options": dict(template.options),
            "schema": template.schema,
        }
        print_result(terminal, "templates show", data)
        return
    text = file.content.text or ""
    terminal.write(text if text.endswith("\n") else f"{text}\n")
    if terminal.stdout.isatty():
        where = "built-in" if file.origin == "built-in" else str(file.path)
        change = f"; to change it: phi templates edit {file.name}" if file.origin != "file" else ""
        terminal.say(f"{where}; to use it: phi chat -T {file.name}{change}")


def print_edited(terminal: Terminal, name: str, path: Path, *, saved: bool, as_json: bool) -> None:
    """Where a template was saved, or that it was not changed.

    Raises:
        OutputClosedError: the reader has closed it.
    """
    if as_json:
        print_result(terminal, "templates edit", {"name": name, "path": str(path), "saved": saved})
    else:
        unchanged = "nothing was saved, because the text was not changed"
        terminal.say(f"saved as {path}; to use it: phi chat -T {name}" if saved else unchanged)
