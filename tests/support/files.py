"""Files that tests share, and the names of their contents."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import phicli

TINY_PHI = Path(phicli.__file__).parent / "data" / "tiny-phi.gguf"


def sha256(content: bytes) -> str:
    """The hash in hexadecimal digits: the hub's name for a large file."""
    return hashlib.sha256(content).hexdigest()


def git_oid(content: bytes) -> str:
    """Git's name for a file: the hub's for a small one."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def model_bytes(size: int, seed: int = 1) -> bytes:
    """A readable model of ``size`` bytes: tiny-phi, then noise that no tensor uses."""
    head = TINY_PHI.read_bytes()
    return head + random.Random(seed).randbytes(size - len(head))
