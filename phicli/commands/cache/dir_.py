"""``phi cache dir``."""

from __future__ import annotations

from phicli.commands.options import Json


def dir_(as_json: Json = False) -> None:
    """Print the path of the cache folder."""
    from phicli.hub.cache import cache_folder
    from phicli.ui.envelope import print_result
    from phicli.ui.terminal import Terminal

    terminal = Terminal.current()
    folder = str(cache_folder())
    if as_json:
        print_result(terminal, "cache dir", {"folder": folder})
    else:
        terminal.write_line(folder)
