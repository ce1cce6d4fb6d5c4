"""The loopback hub against the real huggingface_hub and hf_xet, and each of its faults against plain sockets."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
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

Client = Callable[..., Any]

PRELUDE = """
import hashlib, json, os, sys
from pathlib import Path
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub import errors
def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
def error(call, *arguments, **more):
    try:
        call(*arguments, **more)
    except Exception as problem:
        return type(problem).__name__
def told(value):
    print(json.dumps(value))
"""


@pytest.fixture
def client(hub: LoopbackHub, tmp_path: Path) -> Client:
    """Runs code with the real huggingface_hub in a process of its own, and returns what it printed as JSON."""

    def run(code: str, *, xet: bool = False, **more: str) -> Any:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        own = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_CACHE": str(tmp_path / "cache")}
        own |= {"HF_XET_CACHE": str(tmp_path / "xet"), "HF_HUB_DISABLE_XET": "" if xet else "1"}
        done = subprocess.run(
            [sys.executable, "-c", PRELUDE + code],
            env=kept | own | hub.environment | more,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def fetch(url: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    """Send one request, following no redirects; a body that ends early raises when it is read."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.netloc, timeout=5)
    connection.request(method, url.removeprefix(f"http://{address.netloc}"), headers=headers)
    return connection.getresponse()


def storage_url(hub: LoopbackHub, **headers: str) -> str:
    location = fetch(hub.endpoint + FILE_PATH, "HEAD", **headers).headers["Location"]
    assert location.startswith(hub.cdn_url)
    return location


# The real huggingface_hub.


def test_model_info_gives_sizes_hashes_and_license(hub: LoopbackHub, client: Client) -> None:
    repo = hub.add_repo(NAME, FILES, tags=["gguf"])
    told = client(f"""
info = HfApi().model_info("{NAME}", files_metadata=True)
files = {{s.rfilename: [s.size, s.lfs and s.lfs.sha256, s.blob_id] for s in info.siblings}}
tree = [entry.path for entry in HfApi().list_repo_tree("{NAME}", recursive=True)]
told([info.sha, info.card_data.license, info.tags, files, tree, HfApi().model_info("{NAME}").gated])
""")
    readme = hashlib.sha1(b"blob 8\0# Hello\n", usedforsecurity=False).hexdigest()
    commit, license_name, tags, files, tree, gated = told
    assert (commit, license_name, tags, gated) == (repo.commit, "mit", ["gguf", "license:mit"], False)
    assert files["a.gguf"][:2] == [len(DATA), SHA256]
    assert files["README.md"] == [8, None, readme]
    assert sorted(tree) == ["README.md", "a.gguf", "sub", "sub/config.json"]


@pytest.mark.parametrize("xet", [False, True])
def test_download_of_a_repository(hub: LoopbackHub, client: Client, tmp_path: Path, xet: bool) -> None:
    on_disk = tmp_path / "big.gguf"
    on_disk.write_bytes(DATA)
    repo = hub.add_repo(NAME, FILES | {"big.gguf": on_disk, "big2.gguf": DATA + b"!"}, xet=xet)
    hub.page_size = 2
    hub.small_file_redirect = True
    folder, *sums = client(
        f"""
folder = snapshot_download("{NAME}", max_workers=2)
told([folder] + [sha256(Path(folder, name)) for name in ("a.gguf", "big.gguf", "README.md")])
""",
        xet=xet,
    )
    assert Path(folder).name == repo.commit
    assert sums == [SHA256, SHA256, hashlib.sha256(b"# Hello\n").hexdigest()]
    assert bool(hub.requests.matching(server="cas")) == xet
    assert all(request.authorization is None for request in hub.requests.matching(server="cdn"))


def test_revisions(hub: LoopbackHub, client: Client) -> None:
    repo = hub.add_repo(NAME, {"a.gguf": b"old"})
    old = repo.commit
    repo.add_tag("v1")
    repo.add_branch("refs/pr/1")
    new = repo.update({"a.gguf": b"new"})
    assert old != new
    assert repo.commit == new
    texts, missing, refs = client(f"""
revisions = [None, "{old}", "v1", "refs/pr/1"]
texts = [Path(hf_hub_download("{NAME}", "a.gguf", revision=r)).read_text() for r in revisions]
missing = [error(hf_hub_download, "{NAME}", "a.gguf", revision="nope"), error(hf_hub_download, "{NAME}", "b.gguf")]
told([texts, missing, [tag.target_commit for tag in HfApi().list_repo_refs("{NAME}").tags]])
""")
    assert texts == ["new", "old", "old", "old"]
    assert missing == ["RevisionNotFoundError", "RemoteEntryNotFoundError"]
    assert refs == [old]


def test_who_may_have_what(hub: LoopbackHub, client: Client) -> None:
    hub.add_repo(NAME, FILES, gated="manual")
    hub.add_repo("owner/secret", FILES, private=True)
    told = client(f"""
member, stranger = "{hub.token}", "{hub.stranger_token}"
def download(name, token):
    return error(hf_hub_download, name, "a.gguf", token=token)
told([
    [download(name, token) for name in ("{NAME}", "owner/secret", "owner/none") for token in (False, stranger)],
    HfApi().model_info("{NAME}", token=False).gated,
    error(HfApi().whoami, token="hf_wrong"),
    HfApi().whoami(token=member)["name"],
    [sha256(hf_hub_download(name, "a.gguf", token=member)) for name in ("{NAME}", "owner/secret")],
])
""")
    denied, gated, wrong, who, sums = told
    assert denied == ["GatedRepoError"] * 2 + ["RepositoryNotFoundError"] * 4
    assert (gated, who, sums) == ("manual", "tester", [SHA256, SHA256])
    assert wrong is not None
    assert all(request.authorization is None for request in hub.requests.matching(server="cdn"))


def test_a_cut_is_resumed_by_the_real_library(hub: LoopbackHub, client: Client) -> None:
    data = DATA * 13
    hub.add_repo(NAME, {"a.gguf": data})
    cut = hub.faults.add("a.gguf", server="cdn", cut_after=11_000_000)
    assert client(f'told(sha256(hf_hub_download("{NAME}", "a.gguf")))') == hashlib.sha256(data).hexdigest()
    ranges = [request.range for request in hub.requests.matching("a.gguf", server="cdn")]
    assert hub.faults.hits(cut) == 1
    # The library writes 10 MiB at a time, and forgets what it has of a block when the connection is cut.
    assert ranges == [None, "bytes=10485760-"]


def test_a_moving_branch_leaves_the_download_at_its_commit(hub: LoopbackHub, client: Client) -> None:
    repo = hub.add_repo(NAME, {"a.gguf": DATA})
    before = repo.commit
    hub.faults.add("a.gguf", server="cdn", action=lambda: repo.update({"a.gguf": b"new"}), action_after=1000)
    first, second = client(f"""
paths = [hf_hub_download("{NAME}", "a.gguf") for _ in range(2)]
told([[Path(path).parent.name, sha256(path)] for path in paths])
""")
    assert first == [before, SHA256]
    assert second == [repo.commit, hashlib.sha256(b"new").hexdigest()]
    assert before != repo.commit


# Xet.

STREAM = """
import hf_xet
entry = next(entry for entry in HfApi().list_repo_tree("{name}") if entry.path == "a.gguf")
session = hf_xet.XetSession()
group = session.new_download_stream_group(
    token_refresh_url=os.environ["HF_ENDPOINT"] + "/api/models/{name}/xet-read-token/main", token_refresh_headers={{}})
def stream(start):
    data = b"".join(group.download_stream(hf_xet.XetFileInfo(entry.xet_hash, entry.size), start=start))
    return hashlib.sha256(data).hexdigest()
"""


def test_xet_streams_from_any_offset(hub: LoopbackHub, client: Client) -> None:
    hub.add_repo(NAME, FILES, xet=True)
    starts = [0, 1, 131_072, 131_073, len(DATA) - 1]
    sums = client(STREAM.format(name=NAME) + f"told([stream(start) for start in {starts}])", xet=True)
    assert sums == [hashlib.sha256(DATA[start:]).hexdigest() for start in starts]


def test_xet_files_of_several_xorbs(hub: LoopbackHub, client: Client, tmp_path: Path) -> None:
    on_disk = tmp_path / "large.gguf"
    block = bytes(range(256)) * 4096
    with on_disk.open("wb") as file:
        for index in range(66):
            file.write(index.to_bytes(4, "big") + block[4:])
    hub.add_repo(NAME, {"a.gguf": on_disk}, xet=True)
    start = 66_978_815 - 5
    whole = on_disk.read_bytes()
    told = client(STREAM.format(name=NAME) + f"told([stream(0), stream({start})])", xet=True)
    assert told == [hashlib.sha256(part).hexdigest() for part in (whole, whole[start:])]
    assert len({request.route for request in hub.requests.matching("/xorbs/")}) == 2


def test_xet_recovers_from_passing_faults(hub: LoopbackHub, client: Client) -> None:
    hub.add_repo(NAME, FILES, xet=True)
    fault = hub.faults.add("v1/reconstructions", server="cas", status=500)
    cut = hub.faults.add("/xorbs/", server="cdn", cut_after=5000)
    told = client(f'told(sha256(hf_hub_download("{NAME}", "a.gguf")))', xet=True, HF_XET_CLIENT_RETRY_BASE_DELAY="10ms")
    assert told == SHA256
    assert (hub.faults.hits(fault), hub.faults.hits(cut)) == (1, 1)


def test_xet_does_not_notice_changed_bytes(hub: LoopbackHub, client: Client) -> None:
    hub.add_repo(NAME, FILES, xet=True)
    hub.faults.add("/xorbs/", server="cdn", flip_at=(5000,))
    assert client(f'told(sha256(hf_hub_download("{NAME}", "a.gguf")))', xet=True) != SHA256


def test_xet_gets_a_new_address_when_one_has_expired(hub: LoopbackHub, client: Client) -> None:
    hub.add_repo(NAME, FILES, xet=True)
    hub.faults.add("/xorbs/", server="cdn", status=403)
    assert client(f'told(sha256(hf_hub_download("{NAME}", "a.gguf")))', xet=True) == SHA256
    assert [request.status for request in hub.requests.matching("/xorbs/")] == [403, 206]


# Requests of our own.


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
    connection = http.client.HTTPConnection(urlsplit(hub.endpoint).netloc, timeout=5)
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
        urllib.request.urlopen(hub.endpoint + README_PATH, timeout=5)  # noqa: S310 - our own server
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
    assert 0.25 < time.monotonic() - started < 3


def test_a_stall_ends_with_the_client_or_with_the_server(hub: LoopbackHub) -> None:
    hub.add_repo(NAME, FILES)
    hub.faults.add("a.gguf", server="cdn", stall_after=10, times=None)
    url = storage_url(hub)
    fetch(url).close()
    with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=5) as client:
        client.sendall(f"GET {url.removeprefix(hub.cdn_url)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        received = b""
        while not received.endswith(b"\r\n\r\n" + DATA[:10]):
            received += client.recv(65536)
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(5)
        started = time.monotonic()
        hub.close()
        assert client.recv(1) == b""
        assert time.monotonic() - started < 0.5


def test_a_silent_server_does_not_hold_up_the_end(hub: LoopbackHub) -> None:
    hub.faults.add(delay=1000.0)
    with socket.create_connection(("127.0.0.1", urlsplit(hub.endpoint).port or 0)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        hub.requests.wait_for("/")
        started = time.monotonic()
        hub.close()
        assert time.monotonic() - started < 0.5


def test_clients_that_leave_cause_no_noise(hub: LoopbackHub, capfd: pytest.CaptureFixture[str]) -> None:
    hub.add_repo(NAME, {"a.gguf": bytes(50_000_000)})
    url = storage_url(hub)
    fetch(url).close()
    hub.requests.wait_for("a.gguf", server="cdn")
    with socket.create_connection(("127.0.0.1", urlsplit(hub.endpoint).port or 0)) as client:
        client.sendall(b"GET /half")
    hub.close()
    assert capfd.readouterr().err == ""


def test_it_starts_and_stops_at_once() -> None:
    started = time.monotonic()
    for _ in range(10):
        with LoopbackHub():
            pass
    assert time.monotonic() - started < 1
