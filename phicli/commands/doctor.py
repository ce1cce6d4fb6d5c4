"""``phi doctor``."""

from __future__ import annotations

from phicli.commands.options import Json


def doctor(as_json: Json = False) -> None:
    """Check this installation and machine, and name a command that fixes each problem."""
    from phicli.commands.config.effective_value import problems_of
    from phicli.doctor.examine import examine
    from phicli.settings.file import read_settings
    from phicli.ui.doctor import print_checkup
    from phicli.ui.status import StatusLine
    from phicli.ui.terminal import Terminal

    terminal = Terminal.current()
    with StatusLine(terminal) as status:
        checkup = examine(status.update, lambda: problems_of(read_settings()))
    print_checkup(terminal, checkup, as_json=as_json)
