"""Proxies of the environment: which one a connection takes, which cannot be used, and no password in what is said."""

from __future__ import annotations

import importlib.util
import os

import pytest

from phicli.errors import UsageError
from phicli.network.proxies import proxy_for, use_proxies

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
SOCKS = importlib.util.find_spec("socksio") is not None


@pytest.fixture(autouse=True)
def empty(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("environment", "url", "named"),
    [
        ({"HTTPS_PROXY": "http://me:secret@proxy:3128"}, "https://hub", "http://proxy:3128 (HTTPS_PROXY)"),
        ({"https_proxy": "proxy:3128"}, "https://hub", "http://proxy:3128 (https_proxy)"),
        ({"ALL_PROXY": "socks5h://[::1]:1080"}, "https://hub:8443/x", "socks5h://[::1]:1080 (ALL_PROXY)"),
        ({"HTTP_PROXY": "http://a", "ALL_PROXY": "http://b"}, "http://hub", "http://a (HTTP_PROXY)"),
        ({"HTTP_PROXY": "http://a"}, "https://hub", None),
        ({"ALL_PROXY": "http://b", "NO_PROXY": "other,hub"}, "https://hub:1", None),
    ],
)
def test_which_one_counts(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], url: str, named: str | None
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    use_proxies() if "socks" not in str(environment) else None
    proxy = proxy_for(url)
    assert (proxy.named if proxy else None) == named


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("gopher://proxy", "HTTPS_PROXY is not the address of a proxy"),
        ("http://", "HTTPS_PROXY is not the address of a proxy"),
        ("http://proxy:99999", "HTTPS_PROXY is not the address of a proxy"),
        ("http://me:p#secret@proxy:80", "HTTPS_PROXY is not the address of a proxy"),
        ("http://me:12/secret@proxy:80", "HTTPS_PROXY is not the address of a proxy"),
        ("socks://me:secret@proxy:1080", "the proxy socks://proxy:1080 (HTTPS_PROXY) must support version 5 of SOCKS"),
        ("socks4a://proxy", "the proxy socks4a://proxy (HTTPS_PROXY) must support version 5 of SOCKS"),
    ],
)
def test_what_cannot_be_used(monkeypatch: pytest.MonkeyPatch, address: str, says: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    with pytest.raises(UsageError) as caught:
        use_proxies()
    assert caught.value.message == says
    assert "secret" not in caught.value.message + caught.value.hint


@pytest.mark.skipif(SOCKS, reason="socksio is here")
def test_socks_names_the_package_that_it_requires(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://me:secret@proxy:1080")
    with pytest.raises(UsageError) as caught:
        use_proxies()
    assert caught.value.message == "the SOCKS proxy socks5://proxy:1080 (ALL_PROXY) requires the Python package socksio"
    assert caught.value.hint.startswith("pip install socksio")


def test_a_proxy_that_is_not_used_need_not_be_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks://desktop:1080")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    use_proxies()
    assert "ALL_PROXY" not in os.environ
    monkeypatch.setenv("ALL_PROXY", "socks://desktop:1080")
    monkeypatch.delenv("HTTP_PROXY")
    with pytest.raises(UsageError):
        use_proxies()
    monkeypatch.setenv("NO_PROXY", "*")
    use_proxies()


def test_other_libraries_see_the_proxy_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://small:1")
    monkeypatch.setenv("HTTPS_PROXY", "http://capital:2")
    monkeypatch.setenv("https_proxy", "http://small:2")
    use_proxies()
    assert (os.environ["http_proxy"], os.environ["HTTPS_PROXY"]) == ("http://small:1", "http://small:2")
    assert "HTTP_PROXY" not in os.environ
