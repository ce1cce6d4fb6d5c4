"""Each fault of the loopback hub, seen through plain sockets."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.hub import LoopbackHub
from tests.support.hub.fixtures import hub

__all__ = ["hub"]

NAME = "owner/name"
DATA = bytes(range(251)) * 4000
SHA256 = hashlib.sha256(DATA).hexdigest()
FILES = {"a.gguf": DATA, "README.md": b"# Hello\n", "sub/config.json": b"{}"}
FILE_PATH = f"/{NAME}/resolve/main/a.gguf"
README_PATH = f"/{NAME}/resolve/main/README.md"


def fetch(url: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    """Send one request, following no redirects; a body that ends early raises when it is read."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.netloc, timeout=60)
    connection.request(method, url.removeprefix(f"http://{address.netloc}"), headers=headers)
    return connection.getresponse()


def storage_url(hub: LoopbackHub, **headers: str) -> str:
    location = fetch(hub.endpoint + FILE_PATH, "HEAD", **headers).headers["Location"]
    assert location.startswith(hub.cdn_url)
    return location


# The real huggingface_hub.


def test_redirects_carry_the_metadata_and_storage_takes_no_tokens(hub: LoopbackHub) -> None:
    repo = hub.add_repo(NAME, FILES)
    answer = fetch(hub.endpoint + FILE_PATH, "HEAD")
    assert answer.status == 302
    assert answer.headers["X-Repo-Commit"] == repo.commit
    assert answer.headers["X-Linked-Size"] == str(len(DATA))
    assert answer.headers["X-Linked-ETag"] == f'"{SHA256}"'
    url = answer.headers["Location"]
    assert fetch(url).read() == DATA
    assert fetch(url, Authorization=f"Bearer {hub.token}").status == 400
    assert fetch(url.partition("?")[0]).status == 403
    hub.link_lifetime = -1.0
    assert fetch(storage_url(hub)).status == 403
    leaked = [request for request in hub.requests.matching(server="cdn") if request.authorization]
    assert [request.port for request in leaked] == [urlsplit(hub.cdn_url).port]


@pytest.mark.parametrize("on_disk", [False, True])
def test_ranges(hub: LoopbackHub, tmp_path: Path, on_disk: bool) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(DATA)
    hub.add_repo(NAME, {"a.gguf": path if on_disk else DATA})
    url, size = storage_url(hub), len(DATA)
    for asked, start, end in (("1000-", 1000, size), ("5-9", 5, 10), ("-7", size - 7, size), ("9-99999999", 9, size)):
        answer = fetch(url, Range=f"bytes={asked}")
        assert (answer.status, answer.read()) == (206, DATA[start:end])
        assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{size}"
    beyond = fetch(url, Range=f"bytes={size}-")
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{size}")
    etag = fetch(url, "HEAD").headers["ETag"]
    same = {"Range": "bytes=5-", "If-Range": etag}
    assert fetch(url, **same).status == 206
    assert fetch(url, **same | {"If-Range": '"other"'}).status == 200


def test_a_connection_serves_many_requests(hub: LoopbackHub) -> None:
    hub.add_repo(NAME, FILES)
    connection = http.client.HTTPConnection(urlsplit(hub.endpoint).netloc, timeout=60)
    for method in ("HEAD", "GET", "HEAD", "GET"):
        connection.request(method, README_PATH)
        answer = connection.getresponse()
        assert answer.headers["Content-Length"] == "8"
        assert answer.read() == (b"# Hello\n" if method == "GET" else b"")
    assert [request.status for request in hub.requests] == [200] * 4


def test_errors_come_in_turn_and_then_end(hub: LoopbackHub) -> None:
    hub.add_repo(NAME, FILES)
    hub.faults.add(status=429, retry_after=7)
    hub.faults.add("README", status=503, times=2)
    hub.faults.add("README", method="HEAD", status=500)
    answers = [fetch(hub.endpoint + README_PATH) for _ in range(4)]
    assert [answer.status for answer in answers] == [429, 503, 503, 200]
    assert answers[0].headers["Retry-After"] == "7"
    assert fetch(hub.endpoint + README_PATH, "HEAD").status == 500


def test_cut_short_long_and_empty_answers(hub: LoopbackHub) -> None:
    hub.add_repo(NAME, FILES)
    url = storage_url(hub)
    hub.faults.add(cut_after=100)
    hub.faults.add(length_delta=10)
    hub.faults.add(length_delta=-10)
    for expected in (100, len(DATA)):
        with pytest.raises(http.client.IncompleteRead) as cut:
            fetch(url).read()
        assert len(cut.value.partial) == expected
    assert fetch(url).read() == DATA[:-10]
    hub.faults.add(empty=True)
    with pytest.raises(http.client.RemoteDisconnected):
        fetch(url)
    hub.faults.add(empty=True, reset=True)
    with pytest.raises(ConnectionResetError):
        fetch(url)
    assert fetch(url).read() == DATA


def test_altered_answers(hub: LoopbackHub) -> None:
    repo = hub.add_repo(NAME, FILES)
    url = storage_url(hub)
    hub.faults.add(flip_at=(70_000, 0))
    changed = fetch(url, Range="bytes=69990-").read()
    assert changed == DATA[69_990:70_000] + bytes([DATA[70_000] ^ 0xFF]) + DATA[70_001:]
    hub.faults.add(ignore_range=True)
    answer = fetch(url, Range="bytes=5-")
    assert (answer.status, answer.read()) == (200, DATA)
    hub.faults.add("/api/models", html=True)
    page = fetch(f"{hub.endpoint}/api/models/{NAME}")
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.read().startswith(b"<!DOCTYPE html>")
    hub.faults.add("/api/models", body=b'{"sha":')
    assert fetch(f"{hub.endpoint}/api/models/{NAME}").read() == b'{"sha":'
    repo.advertise("a.gguf", sha256="0" * 64, size=5)
    told = json.load(fetch(f"{hub.endpoint}/api/models/{NAME}?blobs=true"))
    assert next(s for s in told["siblings"] if s["rfilename"] == "a.gguf")["lfs"]["sha256"] == "0" * 64
    lie = fetch(hub.endpoint + FILE_PATH, "HEAD")
    assert (lie.headers["X-Linked-ETag"], lie.headers["X-Linked-Size"]) == (f'"{"0" * 64}"', "5")
    assert fetch(lie.headers["Location"]).read() == DATA


def test_headers_can_be_replaced_and_removed(hub: LoopbackHub) -> None:
    hub.add_repo(NAME, FILES)
    hub.faults.add(headers={"X-Repo-Commit": "", "ETag": '"other"'})
    answer = fetch(hub.endpoint + README_PATH)
    assert (answer.headers["X-Repo-Commit"], answer.headers["ETag"]) == (None, '"other"')


def test_a_redirect_loop_never_ends(hub: LoopbackHub) -> None:
    hub.add_repo(NAME, FILES)
    hub.faults.add("README", redirect_loop=True, times=None)
    with pytest.raises(urllib.error.HTTPError, match="redirect"):
        urllib.request.urlopen(hub.endpoint + README_PATH, timeout=60)  # noqa: S310 - our own server
    assert len(hub.requests) > 2


def test_slow_answers_and_combined_faults(hub: LoopbackHub) -> None:
    hub.add_repo(NAME, FILES)
    url = storage_url(hub)
    hub.faults.add(bytes_per_second=1_000_000, times=None)
    hub.faults.add(cut_after=200_000, delay=0.1)
    started = time.monotonic()
    with pytest.raises(http.client.IncompleteRead) as cut:
        fetch(url).read()
    assert len(cut.value.partial) == 200_000
    assert time.monotonic() - started > 0.25  # of 0.3


def test_a_stall_ends_with_the_client_or_with_the_server(hub: LoopbackHub) -> None:
    hub.add_repo(NAME, FILES)
    hub.faults.add("a.gguf", server="cdn", stall_after=10, times=None)
    url = storage_url(hub)
    fetch(url).close()
    with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=60) as client:
        client.sendall(f"GET {url.removeprefix(hub.cdn_url)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        received = b""
        while not received.endswith(b"\r\n\r\n" + DATA[:10]):
            received += client.recv(65536)
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(30)
        hub.close()
        assert client.recv(1) == b""


def test_a_silent_server_does_not_hold_up_the_end(hub: LoopbackHub) -> None:
    hub.faults.add(delay=1000.0)
    with socket.create_connection(("127.0.0.1", urlsplit(hub.endpoint).port or 0)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        hub.requests.wait_for("/")
        hub.close()  # and this test does not last for 1000 seconds


def test_clients_that_leave_cause_no_noise(hub: LoopbackHub, capfd: pytest.CaptureFixture[str]) -> None:
    hub.add_repo(NAME, {"a.gguf": bytes(50_000_000)})
    url = storage_url(hub)
    fetch(url).close()
    hub.requests.wait_for("a.gguf", server="cdn")
    with socket.create_connection(("127.0.0.1", urlsplit(hub.endpoint).port or 0)) as client:
        client.sendall(b"GET /half")
    hub.close()
    assert capfd.readouterr().err == ""


def test_nothing_of_it_is_left_when_it_stops() -> None:
    def listening() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name.startswith("loopback-")]

    before = listening()
    for _ in range(10):
        with LoopbackHub():
            assert len(listening()) > len(before)
        assert listening() == before
