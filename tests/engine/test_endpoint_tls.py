"""Encrypted endpoints: certificates that nobody vouches for, and an authority of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from phicli.engine.endpoint.address import read_address
from phicli.engine.endpoint.client import EndpointClient
from phicli.engine.endpoint.failures import EndpointError
from phicli.errors import NetworkError
from tests.support.certificates import VARIABLES, Authority
from tests.support.endpoint import Endpoint, encrypted


@pytest.fixture
def endpoint(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
    with encrypted(Endpoint(), authority.context) as found:
        yield found


def models(url: str) -> tuple[str, ...]:
    with EndpointClient(read_address(url, {})) as client:
        return client.models(silence_s=10)


def test_a_certificate_that_nobody_vouches_for_is_refused(endpoint: Endpoint) -> None:
    with pytest.raises(EndpointError) as caught:
        models(f"https://localhost:{endpoint.port}/v1")
    assert (caught.value.kind, caught.value.is_final) == ("tls", True)
    assert "its certificate is not trusted" in caught.value.message
    assert "SSL_CERT_FILE" in caught.value.hint
    assert endpoint.asked == []


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_an_authority_of_ones_own_is_trusted_for_its_name_alone(
    endpoint: Endpoint, authority: Authority, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(authority.file))
    assert models(f"https://localhost:{endpoint.port}/v1") == ("first-model", "second-model")
    with pytest.raises(EndpointError, match="no secure connection") as caught:
        models(f"https://127.1:{endpoint.port}/v1")
    assert caught.value.kind == "tls"
    assert caught.value.hint == "check the address"


def test_http_where_there_is_https(endpoint: Endpoint) -> None:
    with pytest.raises(EndpointError) as caught:
        models(f"http://localhost:{endpoint.port}/v1")
    assert "may require https" in caught.value.hint


def test_a_variable_that_names_no_certificates_matters_only_where_something_is_encrypted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with Endpoint() as plain:
        assert models(plain.url) == ("first-model", "second-model")
    with pytest.raises(NetworkError, match="SSL_CERT_FILE"):
        models("https://localhost/v1")
