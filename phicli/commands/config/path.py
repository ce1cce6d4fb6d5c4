"""``phi config path``."""

from __future__ import annotations

from phicli.commands.options import Json


def path(as_json: Json = False) -> None:
    """Print the path of the settings file."""
    from phicli.paths import settings_file
    from phicli.ui.envelope import print_result
    from phicli.ui.terminal import Terminal

    terminal, file = Terminal.current(), settings_file()
    if as_json:
        print_result(terminal, "config path", {"path": str(file), "exists": file.exists()})
    else:
        terminal.write_line(str(file))
