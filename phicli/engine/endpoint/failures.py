"""Failures between us and an endpoint, in words for people."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from phicli.engine.endpoint.address import Address
from phicli.errors import NetworkError
from phicli.network.proxies import proxy_for
from phicli.network.trouble import Trouble, proxy_refuses, reason, trouble_of

_LONGEST: Final = 300
_LONGEST_WAIT: Final = 40
_NUMBER: Final = re.compile(r"[0-9]+(?:\.[0-9]*)?")
_ALWAYS: Final = frozenset({"key", "not_found", "rejected", "redirect", "tls"})


class EndpointError(NetworkError):
    """One request failed.

    ``kind`` is ``key``, ``not_found``, ``rejected``, ``redirect``, ``tls`` (another request would fail in the same
    way), ``limited``, ``server``, ``unreachable``, ``silent``, ``slow``, ``garbage``, ``cut`` or ``empty``.
    """

    def __init__(
        self, kind: str, message: str, hint: str = "", *, status: int | None = None, wait_s: float | None = None
    ) -> None:
        super().__init__(message, hint)
        self.kind = kind
        self.status = status
        """That of HTTP, where the endpoint answered with an error."""
        self.wait_s = wait_s
        """How long the endpoint asks to wait before the next request; None where it asks for nothing."""
        self.their_code = ""
        """The endpoint's own name for what went wrong, such as ``context_length_exceeded``; empty where it has none."""
        self.answer_began = False
        """Whether a part of the answer had come."""

    @property
    def is_final(self) -> bool:
        """Whether there is no use in asking again."""
        return self.kind in _ALWAYS


def of_status(address: Address, status: int, headers: Mapping[str, str], body: bytes) -> EndpointError:
    """The error for a failed answer; quotes what the endpoint says.

    ``headers`` are those of the answer, found whatever the case of their names.
    """
    said = said_in(address, body)
    what = f"{address.shown} answered with status {status}{_phrase(status)}{f': {said}' if said else ''}"
    proxy = None if address.is_loopback else proxy_for(address.shown)
    if status == 407 and proxy is not None:
        return _of_trouble(address, proxy_refuses("407 Proxy Authentication Required", proxy))
    if status in (401, 403):
        return EndpointError("key", what, _key_hint(address), status=status)
    if status == 404:
        hint = f"check the address and the model's name{ends_in_v1(address)}"
        return with_code(EndpointError("not_found", what, hint, status=status), body)
    if 300 <= status < 400:
        to = _elsewhere(address, headers.get("location", ""))
        hint = "use that address if you trust it"
        return EndpointError("redirect", f"{what}: it redirects to {to}", hint, status=status)
    if status == 429 or status >= 500:
        return _busy(address, what, status, headers.get("retry-after", ""))
    hint = "check that the endpoint has the model, and that the model's context is large enough for the request"
    return with_code(EndpointError("rejected", what, hint, status=status), body)


def _key_hint(address: Address) -> str:
    if address.authorization is None:
        return f"{address.give_key}: the endpoint requires an API key"
    basic = address.authorization.startswith("Basic ")
    given = "the user and the password in the address" if basic else address.key_name
    return f"check {given}: the endpoint did not accept the credentials"


def _busy(address: Address, what: str, status: int, retry_after: str) -> EndpointError:
    """The error for a status that may be another one soon."""
    hints = {
        429: "send fewer requests at a time, or fewer in all: use a lower --concurrency (phi bench) or --parallel",
        503: "run the command again: the endpoint may be loading its model or be overloaded",
    }
    hint = _wait(address, retry_after) + hints.get(status, "see the endpoint's own log")
    kind = "limited" if status == 429 else "server"
    return EndpointError(kind, what, hint, status=status, wait_s=_seconds(retry_after))


def of_garbage(address: Address, line: str) -> EndpointError:
    """The error for a reply of status 200 that is not a stream, and begins with ``line``."""
    message = f"{address.shown} did not send a stream of chat completion chunks: {clean(address, line)}"
    if not line.lstrip().startswith("<"):
        return EndpointError("garbage", message, "check that the address is that of an OpenAI-compatible endpoint")
    hint = f"check the address{ends_in_v1(address)}; or open a page in a browser: your network may ask you to log in"
    return EndpointError("garbage", message, hint)


def in_place_of_a_stream(address: Address, reply: Any) -> EndpointError:
    """The error for a ``reply`` of status 200 that is an error: so LM Studio answers for an unknown path."""
    message = f"{address.shown} answered with an error: {clean(address, error_text(reply)) or 'without a reason'}"
    if ends := ends_in_v1(address):
        return EndpointError("not_found", message, f"check the address{ends}")
    return EndpointError("server", message, "see the endpoint's own log")


def ends_in_v1(address: Address) -> str:
    """A hint at the end of most addresses, to follow other words; empty for one that has it."""
    before, found, after = f"{address.shown}/".partition("/v1/")
    return "" if found and not after else f"; most addresses end in /v1: {before.rstrip('/')}/v1"


def of_exception(address: Address, error: Exception, silence_s: float) -> EndpointError:
    """The error for what the HTTP library raised."""
    import httpx2

    if isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError)):
        return _of_trouble(address, trouble_of(error, address.shown, proxies=not address.is_loopback))
    if isinstance(error, httpx2.TimeoutException):
        return silent(address, silence_s)
    if isinstance(error, httpx2.DecodingError):
        message = f"{address.shown} says that its reply is compressed, but it cannot be read"
        return EndpointError("garbage", message, "see whether a proxy on the way changes replies")
    why = clean(address, reason(error, address.host))
    if isinstance(error, httpx2.RemoteProtocolError) and "disconnect" not in why and "closed" not in why:
        return EndpointError("garbage", f"{address.shown} does not speak HTTP: {why}", _REACH)
    hint = "see the endpoint's own log" + ("" if address.encrypted else "; it may require https")
    return EndpointError("cut", f"{address.shown} closed the connection: {why}", hint)


def _of_trouble(address: Address, trouble: Trouble) -> EndpointError:
    kind = "tls" if trouble.kind == "tls" else "unreachable"
    return EndpointError(kind, clean(address, trouble.message), trouble.hint or _REACH)


_REACH: Final = "check that the endpoint is running and that its address is right (http or https?)"


def silent(address: Address, silence_s: float) -> EndpointError:
    """The error for an endpoint that no longer sends anything."""
    return EndpointError(
        "silent",
        f"{address.shown} sent nothing for {silence_s:.0f} s",
        "check whether the endpoint is running; to wait longer, set a number of seconds: PHI_ENDPOINT_TIMEOUT=600",
    )


def clean(address: Address, text: str) -> str:
    """``text`` of a server or a library in one short line, without secrets and control characters."""
    words = " ".join("".join(one if one.isprintable() else " " for one in address.scrubbed(text)).split())
    return words if len(words) <= _LONGEST else words[:_LONGEST] + "…"


def error_text(reply: Any) -> str:
    """What a JSON answer says went wrong, in any of the usual forms; empty when it says nothing."""
    for _ in range(3):
        if isinstance(reply, str):
            return reply
        if isinstance(reply, list):
            reply = reply[0] if reply else None
        elif isinstance(reply, dict):
            reply = reply.get("error") or reply.get("message") or reply.get("detail") or reply.get("msg")
    return reply if isinstance(reply, str) else ""


def with_code(error: EndpointError, reply: Any) -> EndpointError:
    """``error`` with the code in ``reply``, which is JSON or the bytes of it, and may be anything."""
    if isinstance(reply, bytes):
        try:
            reply = json.loads(reply)
        except (ValueError, RecursionError):
            return error
    inner = reply.get("error") if isinstance(reply, dict) else None
    code = inner.get("code") if isinstance(inner, dict) else None
    error.their_code = code if isinstance(code, str) else ""
    return error


def said_in(address: Address, body: bytes) -> str:
    """What a body says went wrong, in one clean line; empty where it is a web page, or says nothing."""
    text = body.decode("utf-8", errors="replace").strip()
    try:
        said = error_text(json.loads(text))
    except (ValueError, RecursionError):
        said = "" if text.startswith("<") else text  # a web page says nothing that fits here
    return clean(address, said)


def _elsewhere(address: Address, location: str) -> str:
    """Where a redirect leads, as an address: without credentials, query and the path of one request."""
    try:
        parts = urlsplit(urljoin(address.base + "/", location))
        place = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "nowhere"
    path = parts.path.rstrip("/").removesuffix("/chat/completions").removesuffix("/models")
    return clean(address, f"{parts.scheme}://{place}{path}") if location and place else "nowhere"


def _wait(address: Address, retry_after: str) -> str:
    """What ``Retry-After`` asks for, a number of seconds or a date, to stand before other words; empty without."""
    asked = clean(address, retry_after)[:_LONGEST_WAIT]
    if not asked:
        return ""
    when = f"{asked} s" if _NUMBER.fullmatch(asked) else f"until {asked}"
    return f"wait {when}, as the endpoint asks; "


def _seconds(retry_after: str) -> float | None:
    """How long ``Retry-After`` asks to wait; None where that is not known."""
    if len(retry_after) < _LONGEST_WAIT and _NUMBER.fullmatch(retry_after):
        return float(retry_after)
    try:
        until = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):  # a year with eleven digits
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _phrase(status: int) -> str:
    try:
        return f" ({HTTPStatus(status).phrase})"
    except ValueError:
        return ""
