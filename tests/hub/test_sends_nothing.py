"""``phi`` asks the hub for what was asked for, and for nothing else: every request is counted, every header known."""

from __future__ import annotations

import functools
import platform
import re
import socket
import uuid
from pathlib import Path

import pytest

import phicli
from tests.support.files import TINY_PHI
from tests.support.hub import LoopbackHub, RecordedRequest
from tests.support.pulling import FILE, REPO
from tests.support.running import Phi

PRODUCT = re.compile(r"(phi-local|hf_hub|python|hf_xet)/[0-9][0-9A-Za-z.+]*")
HEADERS = {"host", "accept", "accept-encoding", "connection", "user-agent", "range"}
RANDOM = {"x-amzn-trace-id", "x-xet-session-id"}
"""Headers with a random identifier, which must not be the same in two commands."""
SWITCHES = ("HF_HUB_DISABLE_TELEMETRY", "DISABLE_TELEMETRY", "DO_NOT_TRACK")


@pytest.fixture
def watched(phi: Phi, hub: LoopbackHub) -> Phi:
    """``phi`` online with the hub, in an environment that does not switch telemetry off and looks like a harness."""
    telling = dict.fromkeys(SWITCHES, "0") | {"AI_AGENT": "somebody", "AGENT": "somebody"}
    return functools.partial(phi, HF_HUB_OFFLINE="", **hub.environment, **telling)


def asked(hub: LoopbackHub) -> list[tuple[str, str, str]]:
    """Server, method and route of every request, in order."""
    return [(request.server, request.method, request.route) for request in hub.requests]


def check_headers(requests: list[RecordedRequest]) -> None:
    """Every header is one that HTTP needs, product names with their versions, or a random identifier."""
    for request in requests:
        assert set(request.headers) <= HEADERS | RANDOM, request.headers
        products = request.headers["user-agent"].split("; ")
        assert all(PRODUCT.fullmatch(product) for product in products), products
        for name in RANDOM & set(request.headers):
            uuid.UUID(request.headers[name])
        sent = " ".join([request.path, *request.headers.values()]).lower()
        for told in (socket.gethostname(), platform.release(), "somebody", str(Path.home())):
            assert told.lower() not in sent


def test_a_download_is_four_requests(hub: LoopbackHub, watched: Phi) -> None:
    repo = hub.add_repo(REPO, {FILE: TINY_PHI, "README.md": b"# a model"})
    assert watched("pull", "phi-4-mini", "--revision", "main").code == 0
    file = f"/{REPO}/resolve/{repo.commit}/{FILE}"
    *to_the_hub, storage = asked(hub)
    assert to_the_hub == [
        ("hub", "GET", f"/api/models/{REPO}/revision/main"),
        ("hub", "HEAD", file),
        ("hub", "GET", file),
    ]
    assert storage[:2] == ("cdn", "GET")
    check_headers(list(hub.requests))
    assert hub.requests.matching()[0].headers["user-agent"].startswith(f"phi-local/{phicli.__version__}; hf_hub/")


def test_a_download_from_xet_storage_reports_nothing(hub: LoopbackHub, watched: Phi) -> None:
    hub.add_repo(REPO, {FILE: TINY_PHI}, xet=True)
    assert watched("pull", "phi-4-mini", "--revision", "main").code == 0
    assert {request.server for request in hub.requests} == {"hub", "cas", "cdn"}
    assert {request.method for request in hub.requests} == {"GET", "HEAD"}
    assert not hub.requests.matching("telemetry")
    assert not hub.requests.matching("agent")
    check_headers([request for request in hub.requests if request.server != "cas"])
    for request in hub.requests.matching(server="cas"):  # its token was made for this file, by the hub
        assert PRODUCT.fullmatch(request.headers["user-agent"])


def test_an_identifier_is_good_for_one_command(hub: LoopbackHub, watched: Phi) -> None:
    hub.add_repo(REPO, {FILE: TINY_PHI}, xet=True)
    seen: list[set[str]] = []
    for _ in range(2):
        hub.requests.clear()
        watched("pull", "phi-4-mini", "--revision", "main", "--force")
        seen.append({request.headers[name] for request in hub.requests for name in RANDOM if name in request.headers})
    assert seen[0]
    assert seen[1]
    assert not seen[0] & seen[1]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("list", 0),
        ("list --installed", 0),
        ("show phi-4-mini", 0),
        ("show tiny-phi", 0),
        ("chat tiny-phi Hello", 0),
        ("chat phi-4-mini Hello", 3),
        ("recommend", 0),
        ("pull phi-4-mini --offline", 4),
        ("cache list", 0),
        ("cache scan", 0),
        ("config list", 0),
        ("runs list", 0),
        ("--version", 0),
    ],
)
def test_everything_else_asks_nobody(line: str, code: int, hub: LoopbackHub, watched: Phi) -> None:
    hub.add_repo(REPO, {FILE: TINY_PHI})
    assert watched(*line.split()).code == code
    assert not list(hub.requests)
