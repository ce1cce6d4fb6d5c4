"""Asks the server of this user to unload models, or to end."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from phicli.errors import NetworkError, NotFoundError
from phicli.supervisor.client import RefusedError, Server, the_server
from phicli.supervisor.place import place
from phicli.supervisor.state import read_state

_END_S: Final = 60.0
_LOOK_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Stopped:
    """The models that were unloaded, and whether the server ended, too."""

    models: tuple[str, ...]
    ended: bool


def stop(model: str | None, *, everything: bool, force: bool) -> Stopped:
    """Unload ``model``, all models for None, or all models and end the server for ``everything``.

    Raises:
        NoServerError: no server runs.
        NotFoundError: the model is not loaded, or unknown.
        RefusedError: the model or the server is in use, and ``force`` was not given.
        NetworkError: the server does not answer, or does not end.
    """
    server = the_server()
    try:
        reply = server.ask("POST", "/phi/stop", {"model": model, "all": everything, "force": force}, timeout_s=_END_S)
    except RefusedError as error:
        if error.status == 404 and error.reason:
            raise NotFoundError(error.message, error.hint) from error
        raise
    if everything:
        _await_end(server)
    models = reply.get("stopped") if isinstance(reply, dict) else None
    return Stopped(tuple(map(str, models if isinstance(models, list) else ())), everything)


def _await_end(server: Server) -> None:
    """Return when the state file says that the server has left, or that another one has come."""
    until = time.monotonic() + _END_S
    while (state := read_state(place().state)) is not None and state == server.state:
        if time.monotonic() > until:
            raise NetworkError("phi serve has not ended yet", "to end its answers, too: phi stop --all --force")
        time.sleep(_LOOK_S)
