"""What ``phi serve`` says."""

from __future__ import annotations

from collections.abc import Callable

from phicli.ui.envelope import print_result
from phicli.ui.log_lines import LogLines
from phicli.ui.terminal import Terminal


class Saying:
    """The address on standard output, everything else on standard error. Use it as a context.

    Args:
        as_json: the address is in the envelope.
        quiet: nothing is said on standard error.
        every_request: each request is a line there, also where no terminal is.
        detached: standard output is that of the command that started this process, which reads only the address.
    """

    def __init__(self, *, as_json: bool, quiet: bool, every_request: bool, detached: bool = False) -> None:
        self._detached = detached
        self._as_json, self._quiet, self._every_request = as_json, quiet, every_request
        self._terminal = Terminal.current()
        self._lines = LogLines(self._terminal)

    def __enter__(self) -> Saying:
        self._lines.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.__exit__()

    @property
    def log(self) -> Callable[[str], None] | None:
        """Prints a line for a request; None where they are not printed."""
        shows = self._every_request or self._terminal.shows_progress
        return self.notice if shows and not self._quiet else None

    def ready(self, address: str) -> None:
        """Print the address."""
        if self._as_json:
            print_result(self._terminal, "serve", {"address": address})
        else:
            self._terminal.write_line(address)
        if self._detached:
            from phicli.supervisor.background import settle

            settle()

    def notice(self, text: str) -> None:
        """Print what a person should know; returns at once."""
        if not self._quiet:
            self._lines.add(text)
