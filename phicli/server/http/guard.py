"""Who may come in: names of the server, origins of web pages, and the key."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from phicli.server.http.errors import ForbiddenError, KeyRequiredError, refusal
from phicli.server.key import is_same_key

_OPEN: Final = ("/health",)
"""Paths that need no key."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_METHODS: Final = "GET, POST, OPTIONS"


@dataclass(frozen=True, slots=True)
class Rules:
    """Who may come in.

    Attributes:
        key: that every request must have; empty: any key, and none, is accepted.
        hosts: names and addresses of the server in lower case, the usual one first; IPv6 in brackets.
        any_address: requests may also name any IP address, as for a server that listens on all of them.
        origins: of web pages that may send requests, such as ``https://example.org``; ``*`` for all.
    """

    key: str = ""
    hosts: Sequence[str] = ("localhost", "127.0.0.1", "[::1]")
    any_address: bool = False
    origins: Collection[str] = ()


class Guard:
    """An application that lets only those requests through to ``app`` that ``rules`` allow."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app, self._rules = app, rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        allowed = origin is not None and (origin in self._rules.origins or "*" in self._rules.origins)
        answer = self._refusal(scope, headers, allowed=allowed)
        if answer is None and allowed and _is_preflight(scope, headers):
            answer = _preflight(headers)
        if answer is None:
            answer = self._without_key(scope, headers)
        with_origin = _naming(send, origin) if allowed and origin is not None else send
        await (answer or self._app)(scope, receive, with_origin)

    def _refusal(self, scope: Scope, headers: Headers, *, allowed: bool) -> Response | None:
        host = headers.get("host", "")
        if not self._knows(_name_of(host)):
            message = f"this server does not know that it is called {host[:100]!r}"
            hint = f"send requests to {self._rules.hosts[0]}, or start the server with --allow-host and this name"
            return refusal(ForbiddenError(message, hint))
        origin = headers.get("origin")
        if origin is None or allowed or origin.lower() == f"{scope['scheme']}://{host.lower()}":
            return None
        hint = "start the server with --allow-origin and this origin"
        return refusal(ForbiddenError(f"web pages of {origin[:100]!r} may not send requests", hint))

    def _knows(self, name: str) -> bool:
        return name in self._rules.hosts or (self._rules.any_address and _is_address(name))

    def _without_key(self, scope: Scope, headers: Headers) -> Response | None:
        if not self._rules.key or scope["path"] in _OPEN:
            return None
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        given = [bearer.strip()] if scheme.lower() == "bearer" else []
        given += [headers["x-api-key"]] if "x-api-key" in headers else []
        if any([is_same_key(key, self._rules.key) for key in given]):  # noqa: C419 (all are compared: it takes as long)
            return None
        message = "the key is wrong" if given else "a key is required"
        error = KeyRequiredError(message, "send the key of the server: Authorization: Bearer KEY")
        return refusal(error, {"www-authenticate": "Bearer"})


def _name_of(host: str) -> str:
    """The host without its port."""
    name, colon, port = host.lower().rpartition(":")
    return (name if colon and port.isdigit() else host.lower()).removesuffix(".")


def _is_address(name: str) -> bool:
    import ipaddress

    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _is_preflight(scope: Scope, headers: Headers) -> bool:
    return scope["method"] == "OPTIONS" and "access-control-request-method" in headers


def _preflight(headers: Headers) -> Response:
    names = [name.strip() for name in headers.get("access-control-request-headers", "").split(",")]
    allowed = {
        "access-control-allow-methods": _METHODS,
        "access-control-allow-headers": ", ".join(name for name in names if _TOKEN.fullmatch(name)),
        "access-control-max-age": "600",
    }
    if headers.get("access-control-request-private-network") == "true":
        allowed["access-control-allow-private-network"] = "true"
    return Response(status_code=204, headers=allowed)


def _naming(send: Send, origin: str) -> Send:
    """``send``, which lets web pages of ``origin`` read the reply."""

    async def send_with_origin(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["access-control-allow-origin"] = origin
            headers.add_vary_header("origin")
        await send(message)

    return send_with_origin
