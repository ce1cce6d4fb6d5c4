"""One file, fetched from a hub that misbehaves: what arrives is right, or the error says why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from phicli.errors import NetworkError
from phicli.hub.download.transfer import Fetched
from tests.support.fetching import DATA, Download, download
from tests.support.files import sha256
from tests.support.hub import LoopbackHub
from tests.support.pulling import Watcher

__all__ = ["download"]


def never_backwards(watcher: Watcher) -> bool:
    done = [step[0] for step in watcher.steps]
    return done == sorted(done)


def test_all_of_it(download: Download) -> None:
    fetched = download.run()
    assert download.partial.read_bytes() == DATA
    assert fetched == Fetched(sha256(DATA), sha256(DATA), len(DATA), 0)
    assert download.watcher.steps[-1] == (len(DATA), len(DATA), 0)


def test_a_small_file_kept_in_git_has_gits_name(download: Download) -> None:
    assert download.file("README.md").sha256 is None
    assert download.run("README.md").digest == download.file("README.md").etag


@pytest.mark.parametrize(
    "fault",
    [
        {"cut_after": 1_000_000},
        {"cut_after": 1_000_000, "reset": True},
        {"cut_after": 70_001, "times": 3},
        {"stall_after": 500_000},
        {"stall_after": 0},
        {"status": 500},
        {"status": 503, "times": 3},
        {"status": 429, "retry_after": 7},
        {"empty": True},
        {"empty": True, "reset": True},
        {"length_delta": 10},
        {"length_delta": -10},
    ],
    ids=str,
)
def test_after_a_fault_it_goes_on(hub: LoopbackHub, download: Download, fault: dict[str, Any]) -> None:
    rule = hub.faults.add("m.gguf", server="cdn", **fault)
    fetched = download.run()
    assert hub.faults.hits(rule) == fault.get("times", 1)
    assert fetched.digest == sha256(DATA)
    assert download.partial.read_bytes() == DATA
    assert never_backwards(download.watcher)
    assert len(download.watcher.notices) == fault.get("times", 1)


def test_what_arrived_is_not_asked_for_again(hub: LoopbackHub, download: Download) -> None:
    hub.faults.add("m.gguf", server="cdn", cut_after=1_000_000)
    download.run()
    ranges = [request.range for request in hub.requests.matching("m.gguf", method="GET", server="cdn")]
    assert ranges == [None, "bytes=1000000-"]
    assert hub.requests.bytes_sent("m.gguf", server="cdn") == len(DATA)


def test_waits_grow_and_a_server_may_say_how_long(hub: LoopbackHub, download: Download) -> None:
    hub.faults.add("m.gguf", server="cdn", status=500, times=2)
    hub.faults.add("m.gguf", server="cdn", status=429, retry_after=7)
    download.run()
    assert download.pauses == [1.0, 2.0, 7.0] or sorted(download.pauses) == [1.0, 4.0, 7.0]


def test_it_gives_up_and_keeps_what_it_has(hub: LoopbackHub, download: Download) -> None:
    hub.faults.add("m.gguf", server="cdn", cut_after=10_000, times=None)
    with pytest.raises(NetworkError) as caught:
        download.run()
    assert "5 times in a row" in caught.value.message
    assert "saved" in caught.value.hint
    assert download.partial.read_bytes() == DATA[:50_000]
    hub.faults.clear()
    fetched = download.run()
    assert (fetched.resumed_from_bytes, fetched.downloaded_bytes) == (50_000, len(DATA) - 50_000)
    assert fetched.digest == sha256(DATA)


def test_progress_between_failures_earns_more_attempts(hub: LoopbackHub, download: Download) -> None:
    hub.faults.add("m.gguf", server="cdn", cut_after=1_200_000, times=2)
    hub.faults.add("m.gguf", server="cdn", cut_after=1, times=3)
    assert download.run().digest == sha256(DATA)


def test_a_server_that_cannot_resume_sends_all_again(hub: LoopbackHub, download: Download) -> None:
    download.partial.parent.mkdir()
    download.partial.write_bytes(DATA[:1_234_567])
    hub.faults.add("m.gguf", server="cdn", ignore_range=True)
    fetched = download.run()
    assert fetched.digest == sha256(DATA)
    assert download.partial.read_bytes() == DATA
    assert download.watcher.steps[0] == (1_234_567, len(DATA), 1_234_567)
    assert never_backwards(download.watcher)


def test_a_partial_file_that_is_too_long_is_begun_anew(download: Download) -> None:
    download.partial.parent.mkdir()
    download.partial.write_bytes(DATA + b"more")
    assert download.run().resumed_from_bytes == 0
    assert download.partial.read_bytes() == DATA


def test_a_complete_partial_file_needs_no_request(hub: LoopbackHub, download: Download) -> None:
    download.partial.parent.mkdir()
    download.partial.write_bytes(DATA)
    assert download.run().downloaded_bytes == 0
    assert not hub.requests.matching("m.gguf", method="GET")


def test_wrong_bytes_are_seen_in_the_hash(hub: LoopbackHub, download: Download) -> None:
    hub.faults.add("m.gguf", server="cdn", flip_at=(1_000_000,))
    assert download.run().digest != sha256(DATA)


def test_a_web_page_is_no_model(hub: LoopbackHub, download: Download) -> None:
    hub.faults.add("m.gguf", server="cdn", html=True, times=None)
    with pytest.raises(NetworkError, match="web page"):
        download.run()
    assert download.partial.read_bytes() == b""


def test_an_address_that_expired_is_asked_for_again(hub: LoopbackHub, download: Download) -> None:
    hub.faults.add("m.gguf", server="cdn", status=403)
    assert download.run().digest == sha256(DATA)


def test_a_redirect_without_end(hub: LoopbackHub, download: Download) -> None:
    hub.faults.add("m.gguf", method="GET", server="hub", redirect_loop=True, times=None)
    with pytest.raises(NetworkError, match="redirects endlessly"):
        download.run()


def test_a_branch_that_moves_changes_nothing(hub: LoopbackHub, download: Download) -> None:
    hub.faults.add(
        "m.gguf", server="cdn", action=lambda: download.repo.update({"m.gguf": b"other"}), action_after=1_000_000,
        cut_after=2_000_000,
    )  # fmt: skip
    assert download.run().digest == sha256(DATA)
    assert download.repo.commit != download.listing.commit


def test_the_token_goes_to_the_hub_only(hub: LoopbackHub, download: Download, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", hub.token)
    download.run()
    assert {request.authorization for request in hub.requests.matching("m.gguf", server="cdn")} == {None}
    asked = hub.requests.matching("resolve", server="hub")
    assert {request.authorization for request in asked} == {f"Bearer {hub.token}"}


@pytest.fixture
def xet(hub: LoopbackHub, tmp_path: Path, download: Download, starts_process: None) -> Download:
    hub.requests.clear()
    return Download(hub, tmp_path / "xet" / "m.phi.incomplete", xet=True)


def test_xet_storage(hub: LoopbackHub, xet: Download, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_DOWNLOAD_TIMEOUT", "20")
    assert xet.run().digest == sha256(DATA)
    assert not hub.requests.matching("resolve", method="GET")


def test_xet_storage_goes_on_where_it_stopped(hub: LoopbackHub, xet: Download, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_DOWNLOAD_TIMEOUT", "20")
    xet.partial.parent.mkdir()
    xet.partial.write_bytes(DATA[:2_000_000])
    fetched = xet.run()
    assert (fetched.digest, fetched.resumed_from_bytes) == (sha256(DATA), 2_000_000)
    assert hub.requests.bytes_sent("/xorbs/", server="cdn") < len(DATA)


def test_a_stalled_xet_storage_is_left_for_plain_http(
    hub: LoopbackHub, xet: Download, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_DOWNLOAD_TIMEOUT", "2")
    hub.faults.add("/xorbs/", server="cdn", stall_after=100_000, times=None)
    assert xet.run().digest == sha256(DATA)
    assert [notice for notice in xet.watcher.notices if "plain HTTP" in notice]
    assert hub.requests.matching("resolve", method="GET", server="hub")
