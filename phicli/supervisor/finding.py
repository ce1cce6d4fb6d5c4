"""Finds the server of this user, without asking it."""

from __future__ import annotations

from pathlib import Path

from phicli.errors import UsageError
from phicli.supervisor.place import check_private, place
from phicli.supervisor.state import ServerState, read_state


def trusted_state() -> ServerState | None:
    """What the state file says; None where there is none, or where others could have written it."""
    here = place()
    try:
        check_private(here.folder)
        state = read_state(here.state)
        if state is None or not (state.socket or state.loopback):
            return None
        if state.socket:
            check_private(Path(state.socket).parent)
    except UsageError:
        return None
    return state


def socket_of_server() -> Path | None:
    """The Unix socket of the server of this user; None where none runs. Whether it lives, a connection shows."""
    state = trusted_state()
    return Path(state.socket) if state and state.socket else None
