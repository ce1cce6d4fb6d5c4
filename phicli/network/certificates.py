"""Which certificate authorities are trusted, by the environment.

``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` are OpenSSL's own; ``REQUESTS_CA_BUNDLE`` and ``CURL_CA_BUNDLE`` are what company
machines often set in their place.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from phicli.errors import NetworkError, reason_of

CERTIFICATE_FILE: Final = "SSL_CERT_FILE"
_FOLDERS: Final = "SSL_CERT_DIR"
_BUNDLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_VARIABLES: Final = (CERTIFICATE_FILE, _FOLDERS, *_BUNDLES)
_HASHED: Final = re.compile(r"[0-9a-f]{8}\.[0-9]+", re.IGNORECASE)
_PEM: Final = "it must be a file with certificates in PEM format (-----BEGIN CERTIFICATE-----)"


def trusted() -> tuple[str, str] | None:
    """The variable that names the certificate authorities, and its value; None where the system's own count.

    The first of ``SSL_CERT_FILE``, ``SSL_CERT_DIR``, ``REQUESTS_CA_BUNDLE``, ``CURL_CA_BUNDLE`` that is set.
    """
    value = next((value for name in _VARIABLES if (value := os.environ.get(name))), None)
    if value is None:
        return None
    # After use_certificates() one of OpenSSL's holds the value of a bundle: people know that by the name they gave it.
    given = next(name for name in (*_BUNDLES, *_VARIABLES) if os.environ.get(name) == value)
    return given, value


def use_certificates() -> None:
    """Check the authorities that the environment names, and make all HTTP libraries use the same ones.

    hf_xet and httpx2 read OpenSSL's variables only, so a bundle becomes the value of one of those, in this process and
    those that it starts.

    Raises:
        NetworkError: a variable names no certificates.
    """
    found = trusted()
    if found is None:
        return
    name, value = found
    if name == _FOLDERS or (name in _BUNDLES and Path(value).is_dir()):
        _check_folders(name, value)
        os.environ[_FOLDERS] = value
    else:
        _check_file(name, value)
        os.environ[CERTIFICATE_FILE] = value


def untrusted_hint() -> str:
    """What to do about a server whose certificate nobody vouches for."""
    found = trusted()
    if found is None:
        return f"if your network has its own certificate authority: export {CERTIFICATE_FILE}=FILE.pem"
    name, value = found
    return f"add the authority that signed it to {name}={value}; phi uses the first of {', '.join(_VARIABLES)}"


def _check_file(name: str, value: str) -> None:
    import ssl

    if Path(value).is_dir():
        raise NetworkError(f"{name}={value} is a folder", f"{_PEM}; or: unset {name}")
    try:
        with Path(value).open("rb") as file:
            file.read(1)
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=value)
    except ssl.SSLError:
        raise NetworkError(f"{name}={value} contains no usable certificate", f"{_PEM}; or: unset {name}") from None
    except (OSError, ValueError) as error:
        raise NetworkError(f"{name}={value} cannot be used: {reason_of(error)}", f"{_PEM}; or: unset {name}") from None


def _check_folders(name: str, value: str) -> None:
    folders = [Path(folder) for folder in value.split(os.pathsep) if Path(folder).is_dir()]
    if not folders:
        raise NetworkError(f"{name}={value} is not a folder", f"name a folder with certificates; or: unset {name}")
    names = (path.name for folder in folders for path in folder.iterdir())
    if not any(map(_HASHED.fullmatch, names)):
        hint = f"make the names: openssl rehash {folders[0]}; or: unset {name}"
        raise NetworkError(f"{name}={value} contains no certificates with hashed names", hint)
