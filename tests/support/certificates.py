"""A certificate authority of a test's own, and a certificate for this machine that it signed.

The program ``openssl`` makes them when a test wants them; without it those tests are skipped.
"""

from __future__ import annotations

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""What a test has to empty before it sets one of them: the machine may trust others."""
_DAYS = ("-days", "2")
_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Authority:
    """``file`` holds the authority's certificate; ``signed`` and ``key`` are what a server on this machine needs."""

    file: Path
    signed: Path
    key: Path

    @property
    def context(self) -> ssl.SSLContext:
        """What a server encrypts with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.signed, self.key)
        return context


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory, starts_process: None) -> Authority:
    """An authority that nobody knows, for ``localhost`` and 127.0.0.1."""
    if shutil.which("openssl") is None:
        pytest.skip("makes its certificates with openssl")
    folder = tmp_path_factory.mktemp("certificates")
    made = Authority(folder / "authority.pem", folder / "signed.pem", folder / "key.pem")
    root_key, request, names = folder / "authority.key", folder / "request.pem", folder / "names"
    names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    _openssl("req", "-x509", *_NEW_KEY, *_DAYS, "-subj", "/CN=Test authority", "-keyout", root_key, "-out", made.file)
    _openssl("req", *_NEW_KEY, "-subj", "/CN=localhost", "-keyout", made.key, "-out", request)
    _openssl(
        "x509", "-req", *_DAYS, "-in", request, "-CA", made.file, "-CAkey", root_key, "-set_serial", "7",
        "-extfile", names, "-out", made.signed,
    )  # fmt: skip
    return made


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
