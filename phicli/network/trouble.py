"""What a failed connection means, in the words a person gets to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from phicli.network.certificates import CERTIFICATE_FILE, untrusted_hint
from phicli.network.proxies import Proxy, proxy_for

_UNTRUSTED: Final = frozenset({18, 19, 20, 21})
"""OpenSSL's codes: self-signed, self-signed in the chain, no issuer found, no chain to an issuer."""
_EXPIRED: Final = frozenset({9, 10})
_SLOW: Final = "no answer in time"
_NAME_MISMATCH: Final = frozenset({62, 64})


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there is no connection: ``tls`` (no certificate that counts), ``proxy``, or ``unreachable``.

    ``message`` names the server or the proxy; ``hint`` is empty where the caller knows better. ``is_slow`` when nothing
    answered in time, which another attempt may cure.
    """

    kind: Literal["tls", "proxy", "unreachable"]
    message: str
    hint: str
    is_slow: bool = False


def trouble_of(error: BaseException, url: str, *, proxies: bool = True) -> Trouble:
    """The meaning of ``error``, which came from an attempt to connect to ``url``.

    Args:
        error: what the HTTP library raised.
        url: where the connection was to lead; only scheme, host and port are shown.
        proxies: whether the proxies of the environment count for it.
    """
    import ssl

    parts = urlsplit(url)
    place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    broken = next((one for one in chain(error) if isinstance(one, ssl.SSLError)), None)
    if broken is not None:
        return _tls(broken, place)
    proxy = proxy_for(url) if proxies else None
    if proxy is None:
        why = reason(error, parts.hostname or "")
        return Trouble("unreachable", f"{place} cannot be reached: {why}", "", is_slow=why == _SLOW)
    return _proxy(error, proxy, place)


def reason(error: BaseException, host: str) -> str:
    """Why a connection to ``host`` failed, as the rest of a sentence."""
    import socket

    causes = chain(error)
    if any(isinstance(one, socket.gaierror) for one in causes):
        return f"the name {host} cannot be looked up"
    if any("timed out" in str(one).lower() or isinstance(one, TimeoutError) for one in causes):
        return _SLOW
    system = next((one for one in causes if isinstance(one, OSError) and one.strerror), None)
    text = system.strerror if system is not None else next((str(one) for one in causes if str(one)), "")
    text = text.strip().splitlines()[0].rstrip(".") if text and text.strip() else type(error).__name__
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def chain(error: BaseException | None) -> list[BaseException]:
    """``error`` and what led to it, the innermost first."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.insert(0, error)
        error = error.__cause__ or error.__context__
    return found


def proxy_refuses(status: str, proxy: Proxy) -> Trouble:
    """The proxy answered with ``status`` (number and words) for itself."""
    hint = proxy.change
    if status.startswith("407") and proxy.variable:
        hint = f"add the user name and the password: {proxy.variable}={proxy.shown.replace('://', '://USER:PASSWORD@')}"
    return Trouble("proxy", f"the proxy {proxy.named} refuses the connection: {status}", hint)


def _proxy(error: BaseException, proxy: Proxy, place: str) -> Trouble:
    """Either the proxy itself is not there, or it says no."""
    import httpx2

    if isinstance(error, httpx2.ProxyError):
        return proxy_refuses(reason(error, place), proxy)
    why = reason(error, proxy.host)
    return Trouble("proxy", f"the proxy {proxy.named} for {place} cannot be reached: {why}", proxy.change, why == _SLOW)


def _tls(error: BaseException, place: str) -> Trouble:
    import ssl

    what = f"no secure connection to {place}"
    if not isinstance(error, ssl.SSLCertVerificationError):
        said = getattr(error, "reason", None) or str(error)
        return Trouble("tls", f"{what}: {said.replace('_', ' ').lower()}", "check the address (http or https?)")
    why = error.verify_message.rstrip(".")
    if error.verify_code in _UNTRUSTED:
        return Trouble("tls", f"{what}: its certificate is not trusted ({why})", untrusted_hint())
    if error.verify_code in _EXPIRED:
        hint = "check the date of this machine; if it is correct, the owner of the server must renew the certificate"
    elif error.verify_code in _NAME_MISMATCH:
        hint = "check the address"
    else:
        hint = f"{CERTIFICATE_FILE} can name your own certificate authority"
    return Trouble("tls", f"{what}: {why[:1].lower() + why[1:]}", hint)
