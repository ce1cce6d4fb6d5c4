"""The sockets that the server listens on."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from phicli.errors import UsageError
from phicli.server.sockets import addresses_of, is_loopback, listening, url_of

HAS_IPV6 = socket.has_ipv6 and Path("/proc/net/if_inet6").exists()


def test_parts_of_a_reply_are_sent_at_once() -> None:
    """The system would hold back a small part for 40 ms, where the one before it was not acknowledged yet."""
    held_back: list[int] = []

    async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held_back.append(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    async def connect() -> None:
        with listening("127.0.0.1", 0) as (bound,):
            async with await asyncio.start_server(connected, sock=bound):
                reader, writer = await asyncio.open_connection(*bound.getsockname())
                await reader.read()
                writer.close()

    asyncio.run(connect())
    assert held_back
    assert all(held_back)


def test_a_client_that_does_not_read_is_given_only_so_much() -> None:
    with listening("127.0.0.1", 0, send_bytes=8192) as (bound,), ExitStack() as stack:
        stack.enter_context(closing(socket.create_connection(bound.getsockname())))
        accepted = stack.enter_context(closing(bound.accept()[0]))
        assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 4 * 8192


def test_all_addresses_of_a_name_have_the_same_port() -> None:
    with listening("localhost", 0) as sockets:
        assert len({bound.getsockname()[1] for bound in sockets}) == 1
        assert len(sockets) <= len(addresses_of("localhost"))
        assert url_of("localhost", sockets) == f"http://localhost:{sockets[0].getsockname()[1]}"


@pytest.mark.skipif(not HAS_IPV6, reason="no IPv6 here")
@pytest.mark.parametrize(("host", "shown"), [("::1", "[::1]"), ("[::1]", "[::1]"), ("::", "[::1]")])
def test_addresses_of_ipv6_are_shown_in_brackets(host: str, shown: str) -> None:
    with listening(host, 0) as sockets:
        assert url_of(host, sockets) == f"http://{shown}:{sockets[0].getsockname()[1]}"


def test_a_port_is_free_again_afterwards() -> None:
    with listening("127.0.0.1", 0) as (bound,):
        port = bound.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} is in use"), listening("127.0.0.1", port):
            pass
    with listening("127.0.0.1", port) as (again,):
        assert again.getsockname()[1] == port


@pytest.mark.parametrize(("host", "only_here"), [
    ("127.0.0.1", True), ("127.0.0.2", True), ("localhost", True), ("::1", True), ("192.0.2.1", False), ("::", False),
    ("0", False),
])  # fmt: skip
def test_what_only_this_machine_reaches(host: str, only_here: bool) -> None:
    assert is_loopback(addresses_of(host)) is only_here
