"""``phi pull`` with bad input, hubs that answer nonsense, and environments that lead nowhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.files import TINY_PHI
from tests.support.hub import LoopbackHub
from tests.support.pulling import FILE, REPO
from tests.support.running import Phi


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["phi-4-mini:q3_k_m", "--revision", "main"], 3, "Q4_K_M (1.9 MiB)"),
        (["phi-4-mini:banana", "--revision", "main"], 3, "try: phi pull phi-4-mini:q4_k_m"),
        (["no/such-repo"], 3, "repository no/such-repo not found"),
        (["phi-5"], 3, "Try: phi pull phi-"),
        (["phi-4-mini:"], 2, "colon"),
        (["model.gguf"], 2, "phi chat FILE.gguf"),
        (["phi-3-vision"], 6, "phi show"),
        (["phi-4-mini", "--revision", "../x"], 2, "is not a valid revision"),
        (["phi-1"], 3, "OWNER/REPO"),
        (["tiny-phi:q4_k_m"], 3, "tiny-phi"),
        (["x" * 300], 3, "not found"),
        (["phi-4-mini", "--revision", "a b"], 2, "is not a valid revision"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input(mini: Any, online: Phi, arguments: list[str], code: int, words: str) -> None:
    as_text, as_json = online("pull", *arguments), online("pull", *arguments, "--json")
    assert (as_text.code, as_json.code) == (code, code)
    assert as_text.out == ""
    assert words in as_text.err
    error = as_json.json["error"]
    assert words in f"{error['message']} {error['hint']}"


def test_no_network(phi: Phi) -> None:
    gone = phi("pull", "phi-4-mini", HF_HUB_OFFLINE="", HF_ENDPOINT="http://127.0.0.1:9", NO_PROXY="127.0.0.1")
    assert gone.code == 4
    assert "on this machine: tiny-phi" in gone.err


def test_offline(phi: Phi) -> None:
    for arguments in (["--offline"], []):
        refused = phi("pull", "phi-4-mini", *arguments)
        assert refused.code == 4
        assert "offline" in refused.err


@pytest.mark.parametrize("fault", [{"html": True}, {"body": b'{"sha":'}, {"body": b"{}"}, {"body": b"[]"}], ids=str)
def test_a_hub_that_answers_something_else(hub: LoopbackHub, online: Phi, fault: dict[str, Any]) -> None:
    hub.faults.add("/api/models", times=None, **fault)
    done = online("pull", "some/repo")
    assert done.code == 4
    assert "list of files" in done.err


def test_a_hub_that_stumbles_is_asked_again(mini: Any, hub: LoopbackHub, online: Phi) -> None:
    hub.faults.add("/api/models", status=503, retry_after=0, times=2)
    hub.faults.add("resolve", method="HEAD", status=429, retry_after=0)
    done = online("pull", "phi-4-mini", "--revision", "main")
    assert done.code == 0
    assert done.err.count("trying again") == 3


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("HF_HUB_DOWNLOAD_TIMEOUT", "soon", 2),
        ("HF_ENDPOINT", "no-address", 2),
        ("HF_ENDPOINT", "ftp://127.0.0.1", 2),
        ("HF_ENDPOINT", "http://[::1", 2),
        ("HF_ENDPOINT", "http://127.0.0.1:99999", 2),
        ("HTTP_PROXY", "socks5://127.0.0.1:9", 2),
        ("HTTP_PROXY", "gopher://127.0.0.1:9", 2),
        ("HF_TOKEN", "sécret", 2),
        ("HTTP_PROXY", "http://127.0.0.1:9", 4),
    ],
)
def test_an_environment_that_leads_nowhere(hub: LoopbackHub, online: Phi, name: str, value: str, code: int) -> None:
    done = online("pull", "some/repo", **({name: value} | ({"NO_PROXY": ""} if "PROXY" in name else {})))
    assert done.code == code
    assert "bug" not in done.err
    assert done.out == ""
    assert "secret" not in done.err


@pytest.mark.parametrize("token", ["", "secret\nx", "sécret", "a b"])
def test_a_token_that_is_none_is_not_shown(online: Phi, token: str) -> None:
    done = online("pull", "some/repo", "--token", token)
    assert done.code == 2
    assert "secret" not in done.err + done.out


HOSTILE = [
    "../../evil-Q4_K_M.gguf",
    "/etc/evil-Q4_K_M.gguf",
    "d\\x-Q4_K_M.gguf",
    "a//b-Q4_K_M.gguf",
    "x\nerror: forged-Q4_K_M.gguf",
    "\u202egpj-Q4_K_M.gguf",
    "\ud800-Q4_K_M.gguf",
    f"{'n' * 300}-Q4_K_M.gguf",
]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_names_that_a_hub_should_not_have_are_refused_before_the_download(
    hub: LoopbackHub, online: Phi, folder: Path, name: str
) -> None:
    listing = {"id": "evil/repo", "sha": "a" * 40, "siblings": [
        {"rfilename": name, "size": 5, "blobId": "b" * 40, "lfs": {"size": 5, "sha256": "c" * 64, "pointerSize": 1}}
    ]}  # fmt: skip
    hub.faults.add("/api/models/evil/repo", body=json.dumps(listing).encode(), times=None)
    done = online("pull", "evil/repo", "--json")
    assert done.code == 8
    assert "not a file name that phi accepts" in done.json["error"]["message"]
    assert not hub.requests.matching("resolve")
    assert not folder.exists()


@pytest.mark.parametrize(
    "change",
    [{"siblings": [{"rfilename": "m-Q8_0.gguf", "size": 5, "lfs": {"sha256": None, "size": 5, "pointerSize": 1}}]},
     {"siblings": "x"}, {"siblings": [5]}, {"sha": 5}, {"cardData": "x", "siblings": []}, {"tags": 7}],
    ids=str,
)  # fmt: skip
def test_listings_that_are_none(hub: LoopbackHub, online: Phi, change: dict[str, Any]) -> None:
    listing = {"id": "evil/repo", "sha": "a" * 40, "siblings": [{"rfilename": "m.gguf", "size": 5, "blobId": "b"}]}
    hub.faults.add("/api/models/evil/repo", body=json.dumps(listing | change).encode(), times=None)
    done = online("pull", "evil/repo")
    assert done.code == 4
    assert "list of files" in done.err


def test_sizes_that_cannot_be(hub: LoopbackHub, online: Phi) -> None:
    siblings = [
        {"rfilename": f"m-{quant}.gguf", "size": size, "blobId": "b" * 40}
        for quant, size in (("Q4_K_M", -5), ("Q8_0", 10**30))
    ]
    listing = {"id": "evil/repo", "sha": "a" * 40, "siblings": siblings}
    hub.faults.add("/api/models/evil/repo", body=json.dumps(listing).encode(), times=None)
    done = online("pull", "evil/repo")
    assert done.code == 3
    assert "no GGUF model" in done.err


def test_a_licence_cannot_forge_a_line(hub: LoopbackHub, online: Phi) -> None:
    hub.add_repo("some/repo", {"m-Q4_K_M.gguf": TINY_PHI}, license="mit\nerror: \x1b[31mforged")
    done = online("pull", "some/repo")
    assert done.code == 0
    assert not [line for line in done.err.splitlines() if line.startswith("error")]
    assert "\x1b" not in done.err


def test_a_cache_without_room_for_names_shows_before_the_download(
    mini: Any, hub: LoopbackHub, online: Phi, folder: Path
) -> None:
    snapshots = folder / f"models--{REPO.replace('/', '--')}" / "snapshots"
    snapshots.parent.mkdir(parents=True)
    snapshots.write_text("a file")
    done = online("pull", "phi-4-mini", "--revision", "main")
    assert done.code == 2
    assert not hub.requests.matching(FILE, method="GET")


def test_a_long_list_of_files_is_cut(hub: LoopbackHub, online: Phi) -> None:
    hub.add_repo("some/many", {f"m{i}-Q2_K.gguf": b"GGUF" + bytes(i) for i in range(300)})
    done = online("pull", "some/many")
    assert done.code == 2
    assert "and 276 more" in done.err
    assert len(done.err) < 2000


def test_a_proxy_is_used(mini: Any, hub: LoopbackHub, online: Phi) -> None:
    """The hub stands in for a proxy: asked for the whole address, it answers."""
    done = online(
        "pull", "some/repo", HTTP_PROXY=hub.endpoint, HF_ENDPOINT="http://hub.invalid", NO_PROXY="", no_proxy=""
    )
    assert done.code != 0
    assert [request for request in hub.requests if "hub.invalid" in (request.path + (request.host or ""))]


def test_a_file_system_that_cannot_be_written(mini: Any, online: Phi, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    done = online("pull", "phi-4-mini", "--revision", "main", HF_HUB_CACHE=str(tmp_path / "file" / "cache"))
    assert done.code == 2
    assert "HF_HUB_CACHE" in done.err


def test_errors_are_one_object(mini: Any, online: Phi) -> None:
    out = online("pull", "no/such", "--json").out
    assert json.loads(out)["command"] == "pull"
