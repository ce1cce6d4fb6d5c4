"""What goes wrong between us and an endpoint, in the words a person gets to read."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, Final

from phicli.engine.endpoint.address import KEY, Address
from phicli.errors import NetworkError

_LONGEST: Final = 300
_ALWAYS: Final = frozenset({"key", "not_found", "rejected", "redirect", "tls"})


class EndpointError(NetworkError):
    """One request failed.

    ``kind`` is ``key``, ``not_found``, ``rejected``, ``redirect``, ``tls`` (another request would fail in the same
    way), ``limited``, ``server``, ``unreachable``, ``silent``, ``slow``, ``garbage``, ``cut`` or ``empty``.
    """

    def __init__(self, kind: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.kind = kind

    @property
    def is_final(self) -> bool:
        """Whether there is no use in asking again."""
        return self.kind in _ALWAYS


def of_status(address: Address, status: int, location: str, body: bytes) -> EndpointError:
    """The error for an answer that is none; quotes what the endpoint says."""
    said = _said(address, body)
    what = f"{address.shown} answers {status}{_phrase(status)}{f': {said}' if said else ''}"
    if status in (401, 403):
        sent = "the key that it got is not accepted" if address.authorization else f"it wants a key: set {KEY}"
        return EndpointError("key", what, sent if not address.authorization else f"{sent}: check {KEY}")
    if status == 404:
        ends = "" if address.base.endswith("/v1") else "; most addresses end in /v1"
        return EndpointError("not_found", what, f"check the address and the model's name{ends}")
    if 300 <= status < 400:
        to = clean(address, location.partition("?")[0].rpartition("@")[2]) or "nowhere"
        return EndpointError("redirect", f"{what}: it sends on to {to}", "give that address with --url if you trust it")
    if status == 429:
        return EndpointError("limited", what, "ask less: a lower --concurrency, fewer --requests")
    if status >= 500:
        return EndpointError("server", what, "see the endpoint's own log")
    return EndpointError("rejected", what, "see whether it knows the model and has room for --prompt-tokens")


def of_exception(address: Address, error: Exception, silence_s: float) -> EndpointError:
    """The error for what the HTTP library raised."""
    import ssl

    import httpx2

    reason = clean(address, _reason(error))
    if isinstance(error, httpx2.ConnectTimeout):
        return EndpointError("unreachable", f"{address.shown} cannot be reached: no answer in time", _REACH)
    if isinstance(error, httpx2.TimeoutException):
        return silent(address, silence_s)
    if any(isinstance(one, ssl.SSLError) for one in _chain(error)):
        hint = "check the address (http or https?); SSL_CERT_FILE names a certificate authority of your own"
        return EndpointError("tls", f"no secure connection to {address.shown}: {reason}", hint)
    if isinstance(error, (httpx2.ConnectError, httpx2.ProxyError)):
        return EndpointError("unreachable", f"{address.shown} cannot be reached: {reason}", _REACH)
    if isinstance(error, httpx2.RemoteProtocolError) and "disconnect" not in reason and "closed" not in reason:
        return EndpointError("garbage", f"{address.shown} does not speak HTTP: {reason}", _REACH)
    return EndpointError("cut", f"{address.shown} ended the connection: {reason}", "see the endpoint's own log")


_REACH: Final = "check that it runs and that the address is right; a proxy is taken from HTTPS_PROXY and HTTP_PROXY"


def silent(address: Address, silence_s: float) -> EndpointError:
    """The error for an endpoint that says nothing any more."""
    return EndpointError(
        "silent",
        f"{address.shown} sent nothing for {silence_s:.0f} s",
        "see whether it still runs; PHI_ENDPOINT_TIMEOUT=600 waits longer, in seconds",
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


def _said(address: Address, body: bytes) -> str:
    text = body.decode("utf-8", errors="replace").strip()
    try:
        said = error_text(json.loads(text))
    except (ValueError, RecursionError):
        said = "" if text.startswith("<") else text  # a web page says nothing that fits here
    return clean(address, said)


def _phrase(status: int) -> str:
    try:
        return f" ({HTTPStatus(status).phrase})"
    except ValueError:
        return ""


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _reason(error: Exception) -> str:
    """What the innermost library says: that names the cause."""
    return next((str(one) for one in _chain(error) if str(one)), type(error).__name__)
