"""Mirrors that do less than the hub: no ranges, no HEAD, listings without sizes. What they have still arrives."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from phicli.errors import NetworkError
from phicli.hub.download.remote import list_repo, locate_file
from phicli.hub.types import RemoteFile
from tests.support.fetching import DATA, REPO, Download, download
from tests.support.files import sha256
from tests.support.hub import LoopbackHub

__all__ = ["download"]


def begun(download: Download) -> Download:
    """The same, with a part of the file on disk."""
    download.partial.parent.mkdir()
    download.partial.write_bytes(DATA[:1_234_567])
    return download


@pytest.mark.parametrize(
    "fault",
    [
        {"headers": {"Content-Range": ""}},
        {"headers": {"Content-Range": f"bytes 0-{len(DATA) - 1}/{len(DATA)}"}},
        {"headers": {"Content-Range": f"bytes 1234567-{len(DATA) - 1}/7"}},
        {"status": 416},
        {"headers": {"Content-Encoding": "gzip"}},
    ],
    ids=str,
)
def test_a_part_that_cannot_be_placed_is_left_for_the_whole(
    hub: LoopbackHub, download: Download, fault: dict[str, Any]
) -> None:
    rule = hub.faults.add("m.gguf", server="cdn", method="GET", **fault)
    fetched = begun(download).run()
    assert (fetched.digest, fetched.resumed_from_bytes) == (sha256(DATA), 1_234_567)
    assert download.partial.read_bytes() == DATA
    assert hub.faults.hits(rule) == 1
    assert [request.range for request in hub.requests.matching("m.gguf", method="GET", server="cdn")] == [
        "bytes=1234567-", None,
    ]  # fmt: skip
    assert download.watcher.notices == []


def test_a_mirror_that_can_never_resume_is_no_endless_story(hub: LoopbackHub, download: Download) -> None:
    hub.faults.add("m.gguf", server="cdn", method="GET", headers={"Content-Range": ""}, times=None)
    hub.faults.add("m.gguf", server="cdn", method="GET", cut_after=2_000_000)
    assert download.run().digest == sha256(DATA)
    assert len(download.watcher.notices) == 1


def test_what_a_proxy_compressed_on_the_way_is_unpacked(hub: LoopbackHub, download: Download) -> None:
    hub.faults.add("m.gguf", server="cdn", body=gzip.compress(DATA), headers={"Content-Encoding": "gzip"}, times=None)
    assert begun(download).run().digest == sha256(DATA)


@pytest.mark.parametrize("fault", [{"status": 405}, {"status": 403}, {"status": 501}, {"empty": True}], ids=str)
def test_a_refused_head_is_replaced_by_one_byte(hub: LoopbackHub, download: Download, fault: dict[str, Any]) -> None:
    hub.faults.add("resolve", method="HEAD", times=None, **fault)
    assert download.run().digest == sha256(DATA)
    first, *_ = hub.requests.matching("m.gguf", method="GET", server="cdn")
    assert (first.range, first.sent) == ("bytes=0-0", 1)


def test_the_hub_may_still_say_no(hub: LoopbackHub, download: Download) -> None:
    hub.add_repo("some/gated", {"m.gguf": DATA}, gated="manual")
    with pytest.raises(NetworkError, match="is gated"):
        locate_file(list_repo("some/gated"), "m.gguf")


SIBLINGS = [{"rfilename": "README.md"}, {"rfilename": "m.gguf"}, {"rfilename": "other.gguf", "size": None}]


@pytest.mark.parametrize("head", [{}, {"status": 405}], ids=["HEAD", "no HEAD"])
def test_a_listing_without_sizes(hub: LoopbackHub, download: Download, head: dict[str, Any]) -> None:
    files = {"README.md": b"small", "m.gguf": DATA, "other.gguf": DATA[:5000]}
    hub.add_repo(REPO, files, info={"siblings": SIBLINGS})
    if head:
        hub.faults.add("resolve", method="HEAD", times=None, **head)
    told: list[str] = []
    download.listing = list_repo(REPO, on_wait=told.append)
    assert set(download.listing.files) == {
        RemoteFile("m.gguf", len(DATA), sha256(DATA), sha256(DATA)),
        RemoteFile("other.gguf", 5000, sha256(DATA[:5000]), sha256(DATA[:5000])),
    }
    assert told == []
    assert download.run().digest == sha256(DATA)


def test_a_mirror_that_names_no_hash(hub: LoopbackHub, download: Download) -> None:
    hub.add_repo(REPO, {"m.gguf": DATA}, info={"siblings": SIBLINGS[1:2]})
    hub.faults.add("resolve", method="HEAD", body=DATA, headers={"ETag": 'W/"5f:abc.gz"'}, times=None)
    assert list_repo(REPO).files == (RemoteFile("m.gguf", len(DATA), "5f_abc_gz", can_verify=False),)


def test_a_mirror_that_tells_nothing(hub: LoopbackHub, download: Download) -> None:
    hub.add_repo(REPO, {"m.gguf": DATA}, info={"siblings": SIBLINGS[1:2]})
    hub.faults.add("resolve", method="HEAD", body=DATA, times=None)
    with pytest.raises(NetworkError, match="does not report how large the files of some/models are"):
        list_repo(REPO)


@pytest.fixture
def xet(hub: LoopbackHub, tmp_path: Path, download: Download, starts_process: None) -> Download:
    return Download(hub, tmp_path / "xet" / "m.phi.incomplete", xet=True)


def test_xet_storage_that_sends_nothing_is_given_up_at_once(hub: LoopbackHub, xet: Download) -> None:
    hub.faults.add("/reconstructions/", stall_after=0, times=None)
    assert xet.run().digest == sha256(DATA)
    assert [notice for notice in xet.watcher.notices if notice.endswith("continuing over plain HTTP")]
    assert len(xet.watcher.notices) == 1
