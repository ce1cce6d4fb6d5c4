"""The key that requests must have: from a file, or from the environment; and whether a request has it."""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from pathlib import Path
from typing import Final

from phicli.errors import NotFoundError, UsageError, reason_of

VARIABLE: Final = "PHI_SERVE_KEY"
_LONGEST: Final = 4096


def read_key(file: Path | None) -> str:
    """The key in ``file``, else that of ``PHI_SERVE_KEY``; empty where there is none.

    Raises:
        NotFoundError: the file does not exist.
        UsageError: others can read the file, or it has no key.
    """
    if file is None:
        return _checked(key, VARIABLE) if (key := os.environ.get(VARIABLE, "")) else ""
    try:
        with file.open("rb") as opened:
            about = os.fstat(opened.fileno())
            if os.name == "posix" and stat.S_IMODE(about.st_mode) & 0o077:
                raise UsageError(f"others can read {file}", f"let only yourself read it: chmod 600 {file}")
            content = opened.read(_LONGEST + 1)
    except FileNotFoundError:
        raise NotFoundError(f"{file} not found", "name a file with a key in --api-key-file") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {reason_of(error)}", "name another --api-key-file") from error
    return _checked(content.decode("utf-8", errors="replace").strip(), str(file))


def is_same_key(given: str, key: str) -> bool:
    """Whether they are equal; the time of the comparison depends on neither, nor on their lengths."""
    digests = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in (given, key)]
    return hmac.compare_digest(*digests)


def _checked(key: str, where: str) -> str:
    if not key or len(key) > _LONGEST or not key.isascii() or not key.isprintable() or " " in key:
        hint = "write one line of letters and digits, e.g. from: openssl rand -hex 32"
        raise UsageError(f"{where} has no key that can be sent", hint)
    return key
