"""Finds the server of this user and asks it, over its socket."""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from phicli.errors import NetworkError, NotFoundError, UsageError
from phicli.supervisor.finding import trusted_state
from phicli.supervisor.place import place
from phicli.supervisor.state import SCHEMA, ServerState

_AGAIN_S: Final = 0.02


class NoServerError(NotFoundError):
    """No server of this user runs, or it ended just now."""

    def __init__(self) -> None:
        super().__init__("phi serve is not running", "to start it: phi serve --background")


class RefusedError(UsageError):
    """The server refused a request, in its own words.

    Attributes:
        status: of HTTP.
        reason: the code of the error in its reply; may be empty.
    """

    code = "refused"

    def __init__(self, message: str, hint: str = "", *, status: int, reason: str = "") -> None:
        super().__init__(message, hint)
        self.status = status
        self.reason = reason


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection over a Unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(self.timeout)
            self._connect_in_turn()
        except BaseException:
            self.sock.close()
            raise

    def _connect_in_turn(self) -> None:
        """Connect, also where so many others wait that the system refuses more for now.

        Raises:
            OSError: no server listens; a TimeoutError where it accepts nobody.
        """
        until = time.monotonic() + (self.timeout or 0)
        while True:
            try:
                self.sock.connect(os.fspath(self._path))
            except BlockingIOError:
                if time.monotonic() > until:
                    raise TimeoutError from None
                time.sleep(_AGAIN_S)
            else:
                return


@dataclass(frozen=True, slots=True)
class Server:
    """A server whose state file was found; whether it lives is known when it is asked."""

    state: ServerState

    @property
    def understood(self) -> bool:
        """Whether its replies are those that this version of ``phi`` knows."""
        return self.state.schema == SCHEMA

    def connection(self, timeout_s: float) -> http.client.HTTPConnection:
        """A connection to it, which connects with its first request; send :meth:`headers` with each."""
        if self.state.socket:
            return UnixConnection(Path(self.state.socket), timeout_s)
        host, _, port = self.state.loopback.rpartition(":")
        return http.client.HTTPConnection(host, int(port), timeout=timeout_s)

    def headers(self) -> dict[str, str]:
        """The headers that each request needs."""
        key = {"Authorization": f"Bearer {self.state.key}"} if self.state.key else {}
        return {"Content-Type": "application/json", **key}

    def ask(self, method: str, target: str, body: Any = None, *, timeout_s: float = 30.0) -> Any:
        """The JSON that it replies to one request.

        Raises:
            NoServerError: it does not run, or it ended before it read the request.
            RefusedError: it refused.
            NetworkError: it does not answer in time, or its reply makes no sense.
        """
        data = None if body is None else json.dumps(body)
        connection = self.connection(timeout_s)
        try:
            connection.request(method, target, data, self.headers())
            reply = connection.getresponse()
            status, content = reply.status, json.loads(reply.read() or b"null")
        except TimeoutError:
            raise NetworkError(
                f"phi serve did not answer within {timeout_s:g} s",
                f"run the command again; if it never answers, end its process: {self.state.pid}",
            ) from None
        except (OSError, http.client.BadStatusLine, http.client.IncompleteRead):
            raise NoServerError from None  # the kinds of an end that came before the reply
        except (http.client.HTTPException, ValueError) as error:
            raise NetworkError(f"the reply of phi serve makes no sense: {error}", "run the command again") from error
        finally:
            connection.close()
        if status >= 400:
            raise _refusal(status, content)
        return content


def find() -> Server | None:
    """The server of this user, by its state file; None where there is none, or none that can be trusted."""
    state = trusted_state()
    return None if state is None else Server(state)


def the_server() -> Server:
    """The same for a command that cannot do without it.

    Raises:
        NoServerError: there is none.
        UsageError: the folder that names it cannot be trusted.
    """
    place().check()
    server = find()
    if server is None:
        raise NoServerError
    return server


def _refusal(status: int, content: Any) -> RefusedError:
    error = content.get("error") if isinstance(content, dict) else None
    error = error if isinstance(error, dict) else {"message": f"phi serve replied with status {status}"}
    message, hint, code = (str(error.get(name) or "") for name in ("message", "hint", "code"))
    return RefusedError(message, hint, status=status, reason=code)
