"""``phi pull`` and ``phi bench`` behind proxies and certificates that only the company knows."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

from phicli.commands.bench_options import endpoint_in
from phicli.engine.endpoint.address import read_address
from phicli.errors import UsageError
from tests.support.certificates import VARIABLES, Authority
from tests.support.files import TINY_PHI, sha256
from tests.support.hub import LoopbackHub
from tests.support.proxy import Proxy
from tests.support.running import Phi

WHOLE = {"m-Q4_K_M.gguf": TINY_PHI}
NO_PROXIES = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy"), "")


@pytest.fixture
def encrypted(authority: Authority) -> Iterator[LoopbackHub]:
    """A hub with a certificate that nobody trusts, which has a model in Xet storage."""
    with LoopbackHub(authority.context) as hub:
        hub.add_repo("some/xet", WHOLE, xet=True)
        yield hub


@pytest.fixture
def plain(phi: Phi) -> Phi:
    """``phi`` in a network that nothing is known of."""
    return functools.partial(phi, **(NO_PROXIES | dict.fromkeys(VARIABLES, "") | {"HF_HUB_OFFLINE": ""}))


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_an_authority_of_the_company_counts_for_every_library(
    encrypted: LoopbackHub, plain: Phi, authority: Authority, variable: str
) -> None:
    done = plain("pull", "some/xet", "--json", HF_ENDPOINT=encrypted.endpoint, **{variable: str(authority.file)})
    assert done.json["data"]["sha256"] == sha256(TINY_PHI.read_bytes())
    assert encrypted.requests.matching("/xorbs/", server="cdn")


def test_a_certificate_that_nobody_vouches_for(encrypted: LoopbackHub, plain: Phi) -> None:
    for arguments in (["pull", "some/xet"], ["bench", f"{encrypted.endpoint}/v1"]):
        done = plain(*arguments, HF_ENDPOINT=encrypted.endpoint)
        assert (done.code, done.out) == (4, "")
        assert f"no secure connection to {encrypted.endpoint}: its certificate is not trusted" in done.err
        assert "→ if your network has its own certificate authority: export SSL_CERT_FILE=FILE.pem" in done.err
    assert list(encrypted.requests) == []


@pytest.mark.parametrize("arguments", [["pull", "some/repo"], ["bench", "https://127.0.0.1:9/v1"]], ids=" ".join)
def test_a_file_of_certificates_that_is_none_is_named(plain: Phi, tmp_path: Path, arguments: list[str]) -> None:
    done = plain(*arguments, "--json", SSL_CERT_FILE=str(tmp_path))
    assert (done.code, done.json["error"]["code"]) == (4, "network")
    assert done.json["error"]["message"] == f"SSL_CERT_FILE={tmp_path} is a folder"


def test_everything_goes_through_the_proxy(hub: LoopbackHub, plain: Phi) -> None:
    hub.add_repo("some/xet", WHOLE, xet=True)
    with Proxy(instead=hub.endpoint.removeprefix("http://")) as proxy:
        done = plain("pull", "some/xet", "--json", HF_ENDPOINT="http://hub.test", http_proxy=proxy.url)
    assert done.json["data"]["verified"] is True
    assert hub.requests.matching("/xorbs/", server="cdn")
    servers = {address.removeprefix("http://") for address in (hub.endpoint, hub.cdn_url, hub.cas_url)}
    assert set(proxy.reached) == servers | {"hub.test:80"}


DEAD = "http://me:secret@127.0.0.1:9"


@pytest.mark.parametrize("arguments", [["pull", "some/repo"], ["bench", "http://hub.test/v1"]], ids=" ".join)
def test_a_dead_proxy_is_named_without_its_password(plain: Phi, arguments: list[str]) -> None:
    done = plain(*arguments, HF_ENDPOINT="http://hub.test", http_proxy=DEAD)
    assert (done.code, done.out) == (4, "")
    assert done.err.startswith(
        "error: the proxy http://127.0.0.1:9 (http_proxy) for http://hub.test cannot be reached: connection refused\n"
        "  → check http_proxy; or: unset http_proxy"
    )
    assert "secret" not in done.err


@pytest.mark.parametrize(
    ("scheme", "arguments"),
    [("http", ["pull", "some/repo"]), ("https", ["pull", "some/repo"]), ("http", ["bench", "http://hub.test/v1"])],
    ids=str,
)
def test_a_proxy_that_wants_a_password(plain: Phi, scheme: str, arguments: list[str]) -> None:
    with Proxy(refuses="407 Proxy Authentication Required") as proxy:
        done = plain(*arguments, HF_ENDPOINT=f"{scheme}://hub.test", **{f"{scheme}_proxy": proxy.url})
    assert done.code == 4
    assert f"the proxy {proxy.url} ({scheme}_proxy) refuses the connection: 407 Proxy" in done.err
    assert "://USER:PASSWORD@127.0.0.1" in done.err


def test_a_name_that_cannot_be_looked_up(plain: Phi) -> None:
    done = plain("pull", "some/repo", HF_ENDPOINT="http://hub.invalid")
    assert done.code == 4
    assert done.err.startswith("error: http://hub.invalid cannot be reached: the name hub.invalid cannot be looked up")


def test_a_password_in_the_address_of_the_mirror_is_not_shown(plain: Phi) -> None:
    done = plain("pull", "some/repo", HF_ENDPOINT="http://me:secret@127.0.0.1:9")
    assert done.err.startswith("error: http://127.0.0.1:9 cannot be reached: connection refused\n")
    assert "secret" not in done.err


def test_a_page_of_a_filter_is_said_to_be_one(hub: LoopbackHub, plain: Phi) -> None:
    hub.faults.add("/api/models", status=403, headers={"Content-Type": "text/html"}, times=None)
    done = plain("pull", "some/repo", HF_ENDPOINT=hub.endpoint)
    assert done.code == 4
    assert f"{hub.endpoint} answered with a web page (status 403)" in done.err
    assert "log in" not in done.err


@pytest.mark.parametrize("address", ["localhost:8080", "10.0.0.7:8000/v1", "[::1]:8080"])
def test_an_endpoint_without_its_scheme(address: str) -> None:
    with pytest.raises(UsageError) as model:
        endpoint_in([address], None)
    assert model.value.hint == f"did you mean the endpoint http://{address}? Try: phi bench http://{address}"
    with pytest.raises(UsageError) as url:
        read_address(address, {})
    assert url.value.hint == f"did you mean http://{address}?"
    assert endpoint_in(["phi-4-mini:q4_k_m", "owner/repo:Q8_0"], None) is None
