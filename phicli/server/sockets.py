"""The sockets that the server listens on; it binds them itself, before anything else can go wrong."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from phicli.errors import UsageError, reason_of

_BACKLOG: Final = 512
_TRIES: Final = 20
_FREE_PORT: Final = "use another port; --port 0 takes a free one"
_EVERY: Final = {"::": "[::1]", "0.0.0.0": "127.0.0.1"}  # noqa: S104 (what a person typed)


def addresses_of(host: str) -> list[tuple[socket.AddressFamily, str]]:
    """The addresses that ``host`` means, IPv4 first.

    Raises:
        UsageError: it means none.
    """
    name = host.removeprefix("[").removesuffix("]")
    if not name:
        raise UsageError("--host is empty", "leave out --host, or name an address of this machine")
    try:
        rows = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        hint = "leave out --host, or name an address of this machine"
        raise UsageError(f"host {host!r} not found: {reason_of(error)}", hint) from error
    found = {(row[0], str(row[4][0])) for row in rows if row[0] in (socket.AF_INET, socket.AF_INET6)}
    return sorted(found, key=lambda one: (one[0] != socket.AF_INET, one[1]))


def is_loopback(addresses: Sequence[tuple[socket.AddressFamily, str]]) -> bool:
    """Whether only programs on this machine reach all of ``addresses``."""
    return all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for _, address in addresses)


@contextlib.contextmanager
def listening(host: str, port: int, *, send_bytes: int | None = None) -> Iterator[list[socket.socket]]:
    """Sockets that listen on all addresses of ``host``, on the same port; 0 takes a free one.

    ``send_bytes`` is how much the system takes for a client that does not read; None: as much as it likes.

    Raises:
        UsageError: the port cannot be used, or the host is not one of this machine.
    """
    with contextlib.ExitStack() as stack:
        for last in [False] * (_TRIES - 1) + [True]:
            try:
                sockets = _bound(host, port)
            except _TakenMeanwhile:
                if last:
                    raise UsageError(f"no port is free on all addresses of {host}", _FREE_PORT) from None
                continue
            break
        for one in sockets:
            stack.callback(one.close)
            if send_bytes is not None:  # the connections of these sockets have it, too
                one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_bytes)
        yield sockets


def url_of(host: str, sockets: Sequence[socket.socket]) -> str:
    """The address to type for ``sockets``; for those on all addresses that of this machine itself."""
    name = host.removeprefix("[").removesuffix("]")
    address, port, *_ = sockets[0].getsockname()
    return f"http://{_EVERY.get(address, f'[{name}]' if ':' in name else name)}:{port}"


class _TakenMeanwhile(Exception):  # noqa: N818 (a reason to try again)
    """The port that was free on one address is in use on another one."""


def _bound(host: str, port: int) -> list[socket.socket]:
    """Sockets on all addresses of ``host`` that this machine has."""
    sockets: list[socket.socket] = []
    free, failed = port == 0, None
    for family, address in addresses_of(host):
        try:
            sockets.append(_listen(family, address, port))
            port = int(sockets[0].getsockname()[1])
        except OSError as error:
            if sockets and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                continue
            failed = failed or error
    if failed is None and sockets:
        return sockets
    for one in sockets:
        one.close()
    if free and sockets:
        raise _TakenMeanwhile
    raise _cannot_listen(host, port, failed or OSError(errno.EADDRNOTAVAIL, "no address")) from failed


def _listen(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # with it asyncio sets TCP_NODELAY
    try:
        if sys.platform == "win32":  # there SO_REUSEADDR would let others take the port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if address == "::" else 1)
        bound.bind(socket.getaddrinfo(address, port, family, socket.SOCK_STREAM)[0][4])
        bound.listen(_BACKLOG)
    except OSError:
        bound.close()
        raise
    return bound


def _cannot_listen(host: str, port: int, error: OSError) -> UsageError:
    if error.errno == errno.EADDRINUSE:
        return UsageError(f"port {port} is in use", f"{_FREE_PORT}, and phi ps shows a phi serve that runs already")
    if error.errno in (errno.EACCES, errno.EPERM):
        return UsageError(f"port {port} requires the rights of an administrator", "use a port above 1023")
    if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        hint = "leave out --host, or name an address of this machine"
        return UsageError(f"host {host!r} is not an address of this machine", hint)
    return UsageError(f"the server cannot listen on {host}, port {port}: {reason_of(error)}", _FREE_PORT)
