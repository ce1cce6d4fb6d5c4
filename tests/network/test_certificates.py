"""Certificates that the environment names: which count, and what is said of those that cannot."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from phicli.errors import NetworkError
from phicli.network.certificates import trusted, untrusted_hint, use_certificates
from tests.support.certificates import VARIABLES, Authority


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, "")  # so that what the tests set is undone
        monkeypatch.delenv(name)


@pytest.fixture
def bundle(authority: Authority) -> str:
    return str(authority.file)


def test_without_a_variable_those_of_the_system_count() -> None:
    use_certificates()
    assert trusted() is None
    assert "export SSL_CERT_FILE=FILE.pem" in untrusted_hint()


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_file_of_any_variable_becomes_that_of_all_libraries(
    monkeypatch: pytest.MonkeyPatch, bundle: str, name: str
) -> None:
    monkeypatch.setenv(name, bundle)
    use_certificates()
    assert os.environ["SSL_CERT_FILE"] == bundle
    assert trusted() == (name, bundle)
    assert f"to {name}={bundle};" in untrusted_hint()


def test_the_first_variable_counts(monkeypatch: pytest.MonkeyPatch, bundle: str, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", bundle)
    monkeypatch.setenv("CURL_CA_BUNDLE", str(tmp_path / "none.pem"))
    use_certificates()
    assert trusted() == ("SSL_CERT_FILE", bundle)


@pytest.mark.parametrize("name", ["SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"])
def test_a_folder_with_hashed_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    (tmp_path / "1f0a2b3c.0").touch()
    monkeypatch.setenv(name, str(tmp_path))
    use_certificates()
    assert os.environ["SSL_CERT_DIR"] == str(tmp_path)
    assert "SSL_CERT_FILE" not in os.environ


@pytest.mark.parametrize("name", VARIABLES)
def test_what_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    monkeypatch.setenv(name, str(tmp_path / "none.pem"))
    with pytest.raises(NetworkError) as caught:
        use_certificates()
    assert caught.value.message.startswith(f"{name}={tmp_path / 'none.pem'} ")
    assert caught.value.hint.endswith(f"unset {name}")


@pytest.mark.parametrize("content", [b"", b"text", b"\x30\x82\x01\x0a", b"-----BEGIN CERTIFICATE-----\nMII=\n-----END"])
def test_a_file_without_certificates(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "text.pem"
    file.write_bytes(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with pytest.raises(NetworkError) as caught:
        use_certificates()
    assert caught.value.message == f"SSL_CERT_FILE={file} contains no usable certificate"
    assert "PEM" in caught.value.hint


def test_folders_in_the_wrong_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    with pytest.raises(NetworkError, match="hashed names"):
        use_certificates()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path))
    with pytest.raises(NetworkError, match="is a folder"):
        use_certificates()
