"""Encrypted endpoints: certificates that nobody vouches for, and an authority of one's own."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from phicli.engine.endpoint.address import read_address
from phicli.engine.endpoint.client import EndpointClient
from phicli.engine.endpoint.failures import EndpointError
from tests.support.endpoint import Endpoint, encrypted

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory, starts_process: None) -> tuple[Path, Path]:
    """A certificate for ``localhost`` that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    signed, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(signed),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return signed, key


@pytest.fixture
def endpoint(certificate: tuple[Path, Path]) -> Iterator[Endpoint]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with encrypted(Endpoint(), context) as found:
        yield found


def models(url: str) -> tuple[str, ...]:
    with EndpointClient(read_address(url, {})) as client:
        return client.models(silence_s=10)


def test_a_certificate_that_nobody_vouches_for_is_refused(endpoint: Endpoint) -> None:
    with pytest.raises(EndpointError) as caught:
        models(f"https://localhost:{endpoint.port}/v1")
    assert (caught.value.kind, caught.value.is_final) == ("tls", True)
    assert "self-signed certificate" in caught.value.message.replace("self signed", "self-signed")
    assert "SSL_CERT_FILE" in caught.value.hint
    assert endpoint.asked == []


def test_an_authority_of_ones_own_is_trusted_for_its_name_alone(
    endpoint: Endpoint, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    assert models(f"https://localhost:{endpoint.port}/v1") == ("first-model", "second-model")
    with pytest.raises(EndpointError, match="cannot be reached securely") as caught:
        models(f"https://127.0.0.1:{endpoint.port}/v1")
    assert caught.value.kind == "tls"


def test_http_where_there_is_https(endpoint: Endpoint) -> None:
    with pytest.raises(EndpointError) as caught:
        models(f"http://localhost:{endpoint.port}/v1")
    assert "may require https" in caught.value.hint
