"""The process of an engine that the server of this user lends."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from phicli.engine.engine_process import EngineProcess
from phicli.engine.loan import LEND_TARGET, Loan, LoanError, LoanRequest
from phicli.errors import THIS_COMMAND, EngineDiedError
from phicli.supervisor.client import UnixConnection

ANSWERS_WITHIN: Final = "_PHI_LENDER_ANSWERS_WITHIN_S"
"""A variable for tests: seconds for the first line of the reply."""
_ANSWER_S: Final = 2.0
"""For the first line of the reply: the server sends it at once."""
_SILENCE_S: Final = 20.0
"""No line for this long while the model loads: the server hangs."""
_TICK_S: Final = 0.1
_CONNECT_S: Final = 1.0
_ENDS_S: Final = 5.0
"""From the end of an engine to the line that says so, at most."""


class LentProcess(EngineProcess):
    """An engine of the server that listens on a Unix socket, until :meth:`close`.

    Args:
        path: the socket.
        request: what is asked for.

    Raises:
        LoanError: the server lends nothing; says why.
    """

    def __init__(self, path: Path, request: LoanRequest) -> None:
        super().__init__()
        self._asked = time.monotonic()
        self._loan: Loan | None = None
        self._known, self._ended = threading.Event(), threading.Event()
        self._why = "the server closed the connection"
        self._socket, response = _begun(path, request)
        threading.Thread(target=self._read, args=(response,), daemon=True, name="phi-loan").start()

    @property
    def pid(self) -> int:
        """The process id of the engine; 0 while it is not known."""
        return self._loan.pid if self._loan else 0

    @property
    def loading(self) -> bool:
        """As :attr:`EngineProcess.loading`."""
        return not self._known.is_set()

    @property
    def ended(self) -> bool:
        """As :attr:`EngineProcess.ended`: also where only the loan has ended."""
        return self._ended.is_set()

    def listens(self) -> bool:
        """Whether the engine accepts connections: the server says a moment later that it has ended."""
        address = urlsplit(self._loan.address if self._loan else "")
        try:
            with socket.create_connection((address.hostname or "", address.port or 0), _CONNECT_S):
                return True
        except TimeoutError:
            return True
        except OSError:
            return False

    def wait_ready(self, on_tick: Callable[[float], None] | None = None) -> str:
        """As :meth:`EngineProcess.wait_ready`.

        Raises:
            LoanError: the server could not load the model.
        """
        while not self._known.wait(_TICK_S):
            if on_tick is not None:
                on_tick(time.monotonic() - self._asked)
        if self._loan is None:
            raise LoanError(self._why)
        return self._loan.address

    def failure(self, what: str, *, said: str = "") -> EngineDiedError:
        """As :meth:`EngineProcess.failure`; the server knows how its engine ended."""
        reason = self._why if self._ended.wait(_ENDS_S) else said
        message = f"{what}: it belongs to phi serve; {reason}" if reason else what
        hint = f"run the command again, or start another engine: {THIS_COMMAND} --no-attach"
        return EngineDiedError(message, hint, data={"engine_log": str(self.log_path or ""), "crashed": False})

    def close(self) -> None:
        """Give the loan back; safe to call twice."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _read(self, response: http.client.HTTPResponse) -> None:
        """Read what the server says until the loan ends."""
        try:
            for line in response:
                self._take(json.loads(line))
        except TimeoutError:
            self._why = "the server does not respond"
        except (ValueError, TypeError):
            self._why = "the reply of the server makes no sense"
        except (OSError, http.client.HTTPException):
            pass  # it was closed, here or there
        finally:
            self._ended.set()
            self._known.set()

    def _take(self, said: Any) -> None:
        """Take note of a line of the reply.

        Raises:
            ValueError, TypeError: it makes no sense.
        """
        if not isinstance(said, dict):
            raise TypeError("not an object")
        if "lent" in said:
            loan = Loan.from_data(said["lent"])
            self.api_key, self.build, self.bad_template = loan.api_key, loan.build, loan.bad_template
            self.log_path = Path(loan.log_path) if loan.log_path else None
            self.load_ms = max((time.monotonic() - self._asked) * 1000, 0.001)
            self._socket.settimeout(None)  # what is silent from now on may be suspended; the engine answers
            self._loan = loan
            self._known.set()
        elif "ended" in said:
            self._why = str(said["ended"])
            self._ended.set()


def _begun(path: Path, request: LoanRequest) -> tuple[socket.socket, http.client.HTTPResponse]:
    """The open connection and its reply, which has begun.

    Raises:
        LoanError: the server lends nothing; says why.
    """
    limit_s = _answer_s()
    connection = UnixConnection(path, limit_s)
    try:
        connection.connect()
        connected: socket.socket = connection.sock  # with a reply until the end of the connection it is let go of
        connection.request("POST", LEND_TARGET, json.dumps(request.to_data()), {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise LoanError(_reason(response))
        connected.settimeout(_SILENCE_S)
    except TimeoutError:
        connection.close()
        raise LoanError(f"the server did not respond within {limit_s:.0f} s") from None
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        raise LoanError(f"the server cannot be reached: {error}") from error
    except LoanError:
        connection.close()
        raise
    return connected, response


def _reason(response: http.client.HTTPResponse) -> str:
    """Why the server refused, in its own words."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return str(json.loads(response.read())["error"]["message"])
    return f"the server replied with the status {response.status}"


def _answer_s() -> float:
    """Seconds for the first line of the reply. A test can lengthen them: a busy machine is not a server that hangs."""
    try:
        return float(os.environ[ANSWERS_WITHIN])
    except (KeyError, ValueError):
        return _ANSWER_S
