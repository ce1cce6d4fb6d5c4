"""The loopback hub against the real huggingface_hub and hf_xet, and each of its faults against plain sockets."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
def client(hub: LoopbackHub, tmp_path: Path, starts_process: None) -> Client:
    """Runs code with the real huggingface_hub in a separate process, and returns what it printed as JSON."""

    def run(code: str, *, xet: bool = False, **more: str) -> Any:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        own = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_CACHE": str(tmp_path / "cache")}
        own |= {"HF_XET_CACHE": str(tmp_path / "xet"), "HF_HUB_DISABLE_XET": "" if xet else "1"}
        own |= {"HF_HUB_DISABLE_TELEMETRY": "1"}  # its own requests are no part of the protocol
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
