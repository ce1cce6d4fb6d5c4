"""Which proxy of the environment a connection goes through, and whether it can be used."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from phicli.errors import UsageError

_SCHEMES: Final = ("http", "https", "all")
_HTTP: Final = ("http", "https")
_SOCKS: Final = ("socks5", "socks5h")
_OLD_SOCKS: Final = ("socks", "socks4", "socks4a")


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy: ``shown`` is its address without user and password, ``host`` a part of that.

    ``variable`` of the environment names it; empty where it comes from the system's settings.
    """

    variable: str
    shown: str
    host: str

    @property
    def named(self) -> str:
        """Its address and where that comes from."""
        return f"{self.shown} ({self.variable or 'from the system settings'})"

    @property
    def change(self) -> str:
        """What to do about it, as a hint."""
        if not self.variable:
            return "check the proxy in the system settings"
        return f"check {self.variable}; or: unset {self.variable}"


def proxy_for(url: str) -> Proxy | None:
    """The proxy that a connection to ``url`` goes through; None when it goes there directly."""
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    known = getproxies()
    scheme = parts.scheme if known.get(parts.scheme) else "all"
    if not known.get(scheme) or proxy_bypass(f"{parts.hostname}:{parts.port}" if parts.port else f"{parts.hostname}"):
        return None
    return _proxy(scheme, known[scheme])


def use_proxies() -> None:
    """Check the proxies of the environment, and make all HTTP libraries use the same ones.

    ``ALL_PROXY`` is removed, in this process and those that it starts, where ``HTTP_PROXY`` and ``HTTPS_PROXY`` leave
    nothing to it: desktops set all three, and httpx2 refuses the environment for the one that is not used. Names in
    small letters count, as for Python; hf_xet reads those in capitals first.

    Raises:
        UsageError: one cannot be used; the message names it without its password.
    """
    from urllib.request import getproxies

    known = getproxies()
    if all(known.get(scheme) for scheme in _HTTP):
        for name in _names("all"):
            os.environ.pop(name, None)
        known.pop("all", None)
    for scheme in (*_SCHEMES, "no"):
        name, value = f"{scheme.upper()}_PROXY", known.get(scheme)
        if value and name in os.environ:
            os.environ[name] = value
    if "*" in (name.strip() for name in known.get("no", "").split(",")):
        return
    for scheme in _SCHEMES:
        if address := known.get(scheme):
            _check(_proxy(scheme, address))


def _proxy(scheme: str, address: str) -> Proxy:
    """``address`` as the value of a variable; without ``://`` it is HTTP, as every client has it."""
    written = address if "://" in address else f"http://{address}"
    try:
        parts = urlsplit(written)
        port = f":{parts.port}" if parts.port else ""
        host = parts.hostname or ""
    except ValueError:
        parts, port, host = urlsplit(""), "", ""
    if "@" in parts.path + parts.query + parts.fragment:  # a password that is not encoded: nothing of it is shown
        port = host = ""
    place = f"[{host}]" if ":" in host else host
    name = next((name for name in _names(scheme) if os.environ.get(name)), "")
    return Proxy(name, f"{parts.scheme}://{place}{port}", host)


def _names(scheme: str) -> tuple[str, str]:
    """The variables of a scheme; the first one counts where both are set, as for curl."""
    return f"{scheme}_proxy", f"{scheme.upper()}_PROXY"


def _check(proxy: Proxy) -> None:
    import importlib.util

    scheme = proxy.shown.partition("://")[0]
    if scheme not in (*_HTTP, *_SOCKS, *_OLD_SOCKS) or not re.fullmatch(r"[\w.:%-]+", proxy.host):
        what = proxy.variable or "the proxy in the system settings"
        raise UsageError(f"{what} is not the address of a proxy", "for example: export HTTPS_PROXY=http://HOST:PORT")
    if scheme in _OLD_SOCKS:
        better = proxy.shown.replace(f"{scheme}://", "socks5://")
        raise UsageError(
            f"the proxy {proxy.named} must support version 5 of SOCKS",
            f"if it does: export {proxy.variable or 'ALL_PROXY'}={better}",
        )
    if scheme in _SOCKS and importlib.util.find_spec("socksio") is None:
        raise UsageError(
            f"the SOCKS proxy {proxy.named} requires the Python package socksio",
            "pip install socksio (with pipx: pipx inject phi-local socksio)",
        )
