"""``phi doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phicli.commands.options import Json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phicli.errors import PhiError


def doctor(as_json: Json = False) -> None:
    """Check this installation and machine, and name a command that fixes each problem."""
    from phicli.commands.config.effective_value import missing_engines, problems_of
    from phicli.doctor.examine import examine
    from phicli.settings.file import read_settings
    from phicli.ui.doctor import print_checkup
    from phicli.ui.status import StatusLine
    from phicli.ui.terminal import Terminal

    terminal = Terminal.current()

    def settings_errors() -> Iterator[PhiError]:
        file = read_settings()
        yield from problems_of(file)
        yield from missing_engines(file)

    with StatusLine(terminal) as status:
        checkup = examine(status.update, settings_errors)
    print_checkup(terminal, checkup, as_json=as_json)
