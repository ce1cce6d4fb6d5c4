"""The server as the one of this user: it listens on the socket of its place, says how it is, and ends when idle."""

from __future__ import annotations

import os
import platform
import socket
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

import phicli
from phicli.errors import PhiError, UsageError
from phicli.server.bugs import OnBug, ignored
from phicli.server.idle_end import LAST_USE_S, watch
from phicli.server.key import is_same_key
from phicli.server.private_refusal import private_refusal
from phicli.server.uses import CountUses, Uses
from phicli.supervisor.client import NoServerError, find
from phicli.supervisor.hold import Held, take
from phicli.supervisor.looking import PATIENCE_S
from phicli.supervisor.place import place
from phicli.supervisor.state import read_state

if TYPE_CHECKING:
    import uvicorn

ENDS_AFTER: Final = "_PHI_SERVE_ENDS_AFTER_S"
"""A variable for tests: seconds after the last use."""
_ANOTHER: Final = "another phi serve runs for this user: phi ps, phi stop and phi chat use that one"
_TURN_S: Final = 20.0
"""For a server to leave its place, from when it no longer answers."""
_START_S: Final = 600.0
"""For a server to be ready that has the place and no state file yet: it loads models first."""
_AGAIN_S: Final = 0.1


class TakenError(UsageError):
    """Another server of this user runs."""

    code = "server_runs"


class Residence:
    """What makes a server the one that the other commands of this user find; where another one is that, nothing.

    Attributes:
        held: the place; None where another server has it.
        notice: why this server is not the one that the other commands find; empty where it is.
        uses: of the server, whoever uses it.
    """

    def __init__(self, held: Held | None, *, notice: str = "", ends_after_s: float | None = None) -> None:
        self.held = held
        self.notice = notice
        self.uses = Uses()
        self._ends_after_s = ends_after_s
        self._server: uvicorn.Server | None = None
        self._end_watch: Callable[[], None] = lambda: None

    @property
    def sockets(self) -> list[socket.socket]:
        """What the server listens on for this user."""
        return [self.held.listening] if self.held else []

    @property
    def address(self) -> str:
        """Where this user finds the server: ``unix:PATH``; empty where another server is that."""
        if self.held is None:
            return ""
        return f"unix:{self.held.state.socket}" if self.held.state.socket else f"http://{self.held.state.loopback}"

    def app(self, public: ASGIApp, private: ASGIApp) -> ASGIApp:
        """One application: ``private`` for who comes through the socket of this user, ``public`` for all others."""
        return CountUses(_Doors(public, private, self.held), self.uses)

    def open(self, server: uvicorn.Server, address: str = "", on_bug: OnBug = ignored) -> None:
        """Let other commands find ``server``, which is about to run; it listens on ``address``, too.

        ``on_bug`` gets a line for each failure that nobody foresaw.

        Raises:
            DoesNotFitError: the disk is full.
            UsageError: the state file cannot be written.
        """
        self._server = server
        if self.held is None:
            return
        self.held.publish(address)
        if self._ends_after_s is not None:
            self._end_watch = watch(
                self.uses, lambda: server.server_state.connections, self.held, lambda: self.end(force=False),
                after_s=self._ends_after_s, listening=self.sockets, on_bug=on_bug,
            )  # fmt: skip

    def about(self) -> dict[str, Any]:
        """What ``/phi/state`` says of the server itself."""
        assert self.held is not None  # noqa: S101 (asked through its socket)
        idle_s, ends_at = self.uses.idle_s, None
        if self._ends_after_s is not None and not self.uses.running:
            ends_at = datetime.now(UTC) + timedelta(seconds=self._ends_after_s - idle_s)
        end = ends_at.isoformat(timespec="seconds") if ends_at else None
        return {**self.held.state.public(), "idle_s": round(idle_s, 1), "ends_at": end}

    def others(self) -> int:
        """How many requests are answered now, without the one that asks."""
        return max(self.uses.running - 1, 0)

    def end(self, force: bool) -> None:
        """End the server; with ``force`` answers are not waited for."""
        if self._server is not None:
            self._server.should_exit = True
            self._server.force_exit = force

    def close(self) -> None:
        """Leave the place; safe to call twice."""
        self._end_watch()
        if self.held is not None:
            self.held.close()


def reside(*, background: bool, command: Sequence[str] = (), keep_alive_s: float | None = 300.0) -> Residence:
    """Become the server of this user, if no other one is that.

    Args:
        background: nothing else is wanted: where there is another one, that is an error; it ends when it is idle,
            but not before a model that is kept loaded for ``keep_alive_s`` seconds (None: always).
        command: the words of the command line behind ``phi``.
        keep_alive_s: seconds.

    Raises:
        TakenError: only in the background.
        UsageError: the place cannot be used; only in the background.
        DoesNotFitError: the disk is full; only in the background.
    """
    if background:
        return Residence(_taken_in_turn(command), ends_after_s=_ends_after_s(keep_alive_s))
    try:
        held = take(place(), version=phicli.__version__, command=command)
    except PhiError as error:
        return Residence(None, notice=f"phi ps, phi stop and phi chat cannot find this server: {error.message}")
    return Residence(held, notice="" if held else _ANOTHER)


def _taken_in_turn(command: Sequence[str]) -> Held:
    """The place, also where another server has just left it or is about to.

    Raises:
        TakenError: another server answers, or does not but keeps the place.
        UsageError, DoesNotFitError: as :func:`take`.
    """
    began, here = time.monotonic(), place()
    while True:
        held = take(here, version=phicli.__version__, command=command, background=True)
        if held is not None:
            return held
        if _another_answers():
            raise TakenError("phi serve already runs for this user", "see what it does: phi ps")
        state = read_state(here.state)
        if state is not None and state.host != platform.node():
            raise _elsewhere(state.host)
        if time.monotonic() - began > (_TURN_S if state else _START_S):
            raise TakenError(
                f"another phi serve holds {here.lock}, and does not answer",
                "wait until it has started or ended, then run the command again",
            )
        time.sleep(_AGAIN_S)


def _elsewhere(host: str) -> TakenError:
    return TakenError(
        f"phi serve runs on {host}, which shares the folder {place().folder}",
        "set PHI_HOME to a folder of this machine only",
    )


def _another_answers() -> bool:
    server = find()
    try:
        return server is not None and bool(server.ask("GET", "/phi/state", timeout_s=PATIENCE_S))
    except NoServerError:
        return False
    except PhiError:  # it refuses, or it is slow: it lives
        return True


def _ends_after_s(keep_alive_s: float | None) -> float | None:
    """Seconds after the last use; None where it never ends. A test can shorten them."""
    if keep_alive_s is None:
        return None
    try:
        return float(os.environ[ENDS_AFTER])
    except (KeyError, ValueError):
        return max(LAST_USE_S, keep_alive_s)


class _Doors:
    """Sends each request to one of two applications, by the socket that it came through."""

    def __init__(self, public: ASGIApp, private: ASGIApp, held: Held | None) -> None:
        self._public = public
        self._private = private
        self._socket = held.state.socket if held else ""
        self._port = int(held.state.loopback.rpartition(":")[2]) if held and held.state.loopback else 0
        self._key = held.state.key if held else ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan" or not self._is_private(scope):
            return await self._public(scope, receive, send)
        if self._key and not is_same_key(_key_in(scope), self._key):
            return await private_refusal(401, "the key is missing or wrong", code="key")(scope, receive, send)
        return await self._private(scope, receive, send)

    def _is_private(self, scope: Scope) -> bool:
        host, port = scope.get("server") or ("", 0)
        return bool(self._socket and host == self._socket and port is None) or bool(self._port and port == self._port)


def _key_in(scope: Scope) -> str:
    return Headers(scope=scope).get("authorization", "").removeprefix("Bearer ")
