"""Asks the server of this user how it is; no engine wakes up for that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from phicli.errors import NetworkError, UsageError
from phicli.supervisor.client import NoServerError, the_server

PATIENCE_S: Final = 10.0


def look(timeout_s: float = PATIENCE_S) -> Mapping[str, Any] | None:
    """What the server says of itself and its models; None where none runs.

    Raises:
        UsageError: a server of another version runs, whose words are unknown, or its folder cannot be trusted.
        NetworkError: it does not answer in time.
    """
    try:
        server = the_server()
        if not server.understood:
            raise UsageError(
                f"phi serve of version {server.state.version} runs, and this version does not understand it",
                "end it with: phi stop --all",
            )
        state = server.ask("GET", "/phi/state", timeout_s=timeout_s)
    except NoServerError:
        return None
    if not isinstance(state, Mapping):
        raise NetworkError("the reply of phi serve makes no sense", "run the command again")
    return state
