"""Ends a server that nobody uses, without failing a request that comes at that moment."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Collection, Sequence
from typing import Final, Protocol

from phicli.server.bugs import OnBug, ignored, report
from phicli.server.uses import Uses

LAST_USE_S: Final = 1800.0
"""The server in the background ends so long after its last use."""

SETTLE_S: Final = 0.3
"""Afterwards the server knows every connection that was made before it hid itself."""
_LOOK_S: Final = 1.0


class Hides(Protocol):
    """What new clients find the server by, and can be hidden from them."""

    def hide(self) -> None:
        """Let no new client find the server."""

    def show(self) -> None:
        """Let clients find it again."""

    def is_lost(self) -> bool:
        """Whether no new client can find the server, although it did not hide."""


def watch(
    uses: Uses, connections: Callable[[], Collection[object]], found_by: Hides, end: Callable[[], None], *,
    after_s: float, listening: Sequence[socket.socket], on_bug: OnBug = ignored,
) -> Callable[[], None]:  # fmt: skip
    """Call ``end`` in a thread, once, when the server was not used for ``after_s`` seconds and no client is connected.

    A server that no new client can find ends as soon as nobody uses it.

    First the server hides, so that no new client can connect. Whoever connected just before that is served: then the
    server shows itself again and stays.

    Args:
        uses: of the server.
        connections: the clients that are connected.
        found_by: hides the server.
        end: ends it.
        after_s: seconds without a use.
        listening: sockets whose waiting connections count as clients.
        on_bug: gets a line for each failure that nobody foresaw; the server is looked at again.

    Returns what ends the watch: after that the server is no longer looked at, hidden or shown.
    """
    over = threading.Event()

    def idle(for_s: float) -> bool:
        return uses.idle_s >= for_s and not connections() and not _waits(listening)

    def hidden() -> bool:
        enough_s = 0.01 if found_by.is_lost() else after_s
        if not idle(enough_s):
            return False
        unused = False
        try:
            found_by.hide()
            over.wait(SETTLE_S)
            unused = idle(enough_s)
        finally:
            if not unused:
                found_by.show()
        return unused

    def run() -> None:
        while not over.wait(min(_LOOK_S, max(after_s / 4, 0.01))):
            try:
                if hidden():
                    end()
                    return
            except Exception as error:  # noqa: BLE001 (as in main(): a bug is reported, and the server goes on)
                report(error, on_bug)

    thread = threading.Thread(target=run, daemon=True, name="phi-idle-end")
    thread.start()

    def stop() -> None:
        over.set()
        thread.join()

    return stop


def _waits(listening: Sequence[socket.socket]) -> bool:
    """Whether a client waits to be accepted."""
    readable, _, _ = select.select([one for one in listening if one.fileno() >= 0], [], [], 0)
    return bool(readable)
