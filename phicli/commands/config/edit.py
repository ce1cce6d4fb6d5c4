"""``phi config edit``."""

from __future__ import annotations

from phicli.commands.options import Json


def edit(as_json: Json = False) -> None:
    """Open the settings file in an editor, then check it."""
    from phicli.commands.config.editing import edit_settings
    from phicli.ui.envelope import print_result
    from phicli.ui.terminal import Terminal

    terminal = Terminal.current()
    path = edit_settings(terminal)
    if as_json:
        print_result(terminal, "config edit", {"path": str(path), "problems": []})
