"""``phi serve``: its options, and what it refuses before it serves."""

from __future__ import annotations

import json
import os
import signal
import socket
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.files import TINY_PHI
from tests.support.running import Phi
from tests.support.servers import Client, Serve, Server

KEY = "correct-horse"
EVERYWHERE = "0.0.0.0"  # noqa: S104 (with a key, and for a moment)
HAS_IPV6 = socket.has_ipv6 and Path("/proc/net/if_inet6").exists()


def test_the_first_line_is_the_address(server: Server) -> None:
    assert server.first_line.startswith("http://127.0.0.1:")
    assert server.get("/health").status == 200


def test_the_address_as_json_is_one_line(serve: Serve) -> None:
    server = serve("--json")
    assert json.loads(server.first_line) == {"schema": 1, "command": "serve", "data": {"address": server.address}}
    assert server.process.stdout is not None
    assert server.end(signal.SIGINT) == 130
    assert server.process.stdout.read() == b""


def test_it_listens_on_this_machine_only(server: Server) -> None:
    port = int(server.address.rpartition(":")[2])
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.2", port))  # it would be taken if the server listened on all addresses


def test_localhost_is_every_address_of_that_name(serve: Serve) -> None:
    server = serve("--host", "localhost")
    assert server.first_line.startswith("http://localhost:")
    port = server.first_line.rpartition(":")[2]
    for address in {row[4][0] for row in socket.getaddrinfo("localhost", port, type=socket.SOCK_STREAM)}:
        shown = f"[{address}]" if ":" in str(address) else address
        assert Client(f"http://{shown}:{port}").get("/health", Host=f"localhost:{port}").status == 200


@pytest.mark.skipif(not HAS_IPV6, reason="no IPv6 here")
@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_ipv6(serve: Serve, host: str) -> None:
    server = serve("--host", host)
    assert server.first_line.startswith("http://[::1]:")
    assert server.get("/health", Host=server.first_line.removeprefix("http://")).status == 200


def test_a_port_in_use(phi: Phi, server: Server) -> None:
    port = server.address.rpartition(":")[2]
    run = phi("serve", "--port", port)
    assert run.code == 2
    assert f"port {port} is in use" in run.err
    assert "--port 0" in run.err
    assert run.out == ""


def test_a_port_in_use_as_json(phi: Phi, server: Server) -> None:
    run = phi("serve", "--port", server.address.rpartition(":")[2], "--json")
    assert run.code == 2
    assert run.json["error"]["code"] == "usage"


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="an administrator may")
def test_a_port_of_the_system(phi: Phi) -> None:
    run = phi("serve", "--port", "80")
    assert run.code == 2
    assert "above 1023" in run.err


@pytest.mark.parametrize(("host", "said"), [
    ("192.0.2.1", "is not an address of this machine"), ("nothing.invalid", "not found"), ("", "--host is empty"),
    ("a" * 300, "not found"), ("http://127.0.0.1", "not found"), ("127.0.0.1:80", "not found"),
])  # fmt: skip
def test_a_host_that_is_not_this_machine(phi: Phi, host: str, said: str) -> None:
    run = phi("serve", "--host", host, "--port", "0", PHI_SERVE_KEY=KEY)
    assert run.code == 2
    assert said in run.err


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "192.0.2.1"])
def test_other_machines_are_let_in_only_with_a_key(phi: Phi, host: str) -> None:
    run = phi("serve", "--host", host, "--port", "0", PHI_API_KEY=KEY)
    assert run.code == 2
    assert "requires a key" in run.err
    assert "PHI_SERVE_KEY" in run.err


def test_with_a_key_it_listens_on_all_addresses(serve: Serve) -> None:
    server = serve("--host", EVERYWHERE, PHI_SERVE_KEY=KEY)
    assert server.first_line.startswith("http://127.0.0.1:")
    assert server.chat().status == 401
    assert server.get("/v1/models", Authorization=f"Bearer {KEY}").status == 200
    assert server.get("/v1/models", x_api_key=KEY).status == 200
    assert server.get("/v1/models", x_api_key=KEY, Host="attacker.example").status == 403
    assert KEY not in server.err


def test_a_key_from_a_file(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    file.chmod(0o600)
    server = serve("--api-key-file", str(file), PHI_SERVE_KEY="another")
    assert server.get("/v1/models").status == 401
    assert server.get("/v1/models", x_api_key="another").status == 401
    assert server.get("/v1/models", x_api_key=KEY).status == 200


@pytest.mark.parametrize(("content", "mode", "code", "said"), [
    (KEY, 0o644, 2, "others can read"), (KEY, 0o640, 2, "others can read"), ("", 0o600, 2, "no key"),
    ("two words", 0o600, 2, "no key"), ("schlüssel", 0o600, 2, "no key"), ("x" * 5000, 0o600, 2, "no key"),
    (None, 0, 3, "not found"),
])  # fmt: skip
def test_a_file_without_a_good_key(
    phi: Phi, tmp_path: Path, content: str | None, mode: int, code: int, said: str
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content)
        file.chmod(mode)
    run = phi("serve", "--port", "0", "--api-key-file", str(file), columns="240")
    assert run.code == code
    assert said in run.err
    assert KEY not in run.err


def test_another_name_of_the_server(serve: Serve) -> None:
    server = serve("--allow-host", "Phi.example")
    assert server.get("/v1/models", Host="phi.example:80").status == 200
    refused = server.get("/v1/models", Host="other.example")
    assert refused.status == 403
    assert "--allow-host" in refused.error["message"]


@pytest.mark.parametrize("name", ["phi.example:80", "http://phi.example", "", "a b", "*"])
def test_a_name_that_is_not_one(phi: Phi, name: str) -> None:
    run = phi("serve", "--port", "0", "--allow-host", name)
    assert run.code == 2
    assert "not a name" in run.err


def test_an_allowed_page(serve: Serve) -> None:
    server = serve("--allow-origin", "https://Page.example/")
    reply = server.get("/v1/models", Origin="https://page.example")
    assert reply.headers["access-control-allow-origin"] == "https://page.example"
    assert server.get("/v1/models", Origin="https://other.example").status == 403


@pytest.mark.parametrize(
    "origin", ["page.example", "https://", "https://page.example/path", "https://a@b", "", "ht tp://x"]
)
def test_a_page_that_is_not_an_origin(phi: Phi, origin: str) -> None:
    run = phi("serve", "--port", "0", "--allow-origin", origin)
    assert run.code == 2
    assert "not an origin" in run.err


def test_all_pages_only_with_a_key(phi: Phi) -> None:
    run = phi("serve", "--port", "0", "--allow-origin", "*")
    assert run.code == 2
    assert "requires a key" in run.err


@pytest.mark.parametrize(("options", "said"), [
    (("--keep-alive", "soon"), "not a duration"), (("--keep-alive", "-1"), "not a duration"),
    (("--parallel", "0"), "--parallel"), (("--port", "65536"), "--port"), (("--port", "x"), "--port"),
    (("--preload",), "requires a model"), (("--kv-type", "f64"), "--kv-type"), (("--context", "3"), "--context"),
])  # fmt: skip
def test_options_that_make_no_sense(phi: Phi, options: tuple[str, ...], said: str) -> None:
    run = phi("serve", *options)
    assert run.code == 2
    assert said in run.err


def test_a_model_that_does_not_exist_is_named_before_anything_is_served(phi: Phi) -> None:
    run = phi("serve", "tiny-fi", "--preload", "--port", "0")
    assert run.code == 3
    assert "tiny-phi" in run.err
    assert run.out == ""


def test_a_wrong_name_is_answered_with_the_command_that_serves(phi: Phi) -> None:
    run = phi("serve", "tiny-phy", "--port", "0")
    assert run.code == 3
    assert "Try: phi serve tiny-phi," in run.err


@pytest.mark.parametrize("more", [(), ("--background",)])
def test_a_path_without_a_file_is_named_before_anything_is_served(phi: Phi, tmp_path: Path, more: tuple[str]) -> None:
    run = phi("serve", str(tmp_path / "nope.gguf"), *more, columns="240")
    assert (run.code, run.out) == (3, "")
    assert "nope.gguf does not exist" in run.err
    assert phi("ps", "--json").json["data"]["running"] is False


def test_a_client_does_not_learn_where_a_file_was(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "mine.gguf"
    path.write_bytes(TINY_PHI.read_bytes())
    server = serve(str(path))
    assert server.chat(model="mine.gguf").status == 200
    path.unlink()
    refused = server.chat(model="mine.gguf")
    assert (refused.status, refused.error["code"]) == (404, "model_not_found")
    assert str(tmp_path) not in refused.text
    assert server.get("/v1/models").json["data"] == []


def test_a_client_does_not_learn_why_a_file_cannot_be_loaded(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "mine.gguf"
    path.write_bytes(TINY_PHI.read_bytes())
    server = serve(str(path))
    path.write_bytes(b"this is not a model")
    refused = server.chat(model="mine.gguf")
    assert refused.error["message"] == "the model cannot be used; the log of the server says why"
    server.end()
    assert "mine.gguf cannot be loaded: " in server.err
    assert "is not a GGUF file" in server.err


def test_a_model_that_is_loaded_at_the_start(serve: Serve) -> None:
    server = serve("tiny-phi", "--preload")
    assert len(server.workers) == 1
    assert "loading tiny-phi" in server.err


def test_variables_give_options(serve: Serve) -> None:
    server = serve("--port", "0", PHI_SERVE_VERBOSE="1", PHI_SERVE_HOST="localhost")
    assert server.first_line.startswith("http://localhost:")
    server.get("/health", Host="localhost")
    server.end()
    assert "GET /health 200" in server.err


def test_quiet_is_quiet(serve: Serve) -> None:
    server = serve("tiny-phi", "--preload", "--quiet", "--verbose")
    server.get("/health")
    server.end()
    assert server.err == ""
