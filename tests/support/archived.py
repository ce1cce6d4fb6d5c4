"""A model in a cache as huggingface_hub leaves it, and the archive of it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from phicli.catalog.resolve import resolve
from phicli.hub.archive_export import export_model
from tests.support.other_programs import phi_4_mini_bytes

REPO, COMMIT, NAME = "bartowski/microsoft_Phi-4-mini-instruct-GGUF", "7" * 40, "phi.Q4_K_M.gguf"
MODEL, README, LICENSE = phi_4_mini_bytes(), b"# About\n", b"MIT License\n"
PHI_4_MINI = resolve("phi-4-mini").variant


def git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def put(cache: Path, name: str, content: bytes) -> Path:
    """A file as huggingface_hub leaves it."""
    root = cache / f"models--{REPO.replace('/', '--')}"
    etag = hashlib.sha256(content).hexdigest() if name.endswith(".gguf") else git_oid(content)
    for folder in (root / "blobs", root / "refs", (root / "snapshots" / COMMIT / name).parent):
        folder.mkdir(parents=True, exist_ok=True)
    (root / "blobs" / etag).write_bytes(content)
    (root / "refs" / "main").write_text(COMMIT)
    path = root / "snapshots" / COMMIT / name
    path.symlink_to(os.path.relpath(root / "blobs" / etag, path.parent))
    return path


def tree(folder: Path) -> dict[str, bytes | str]:
    """Everything below ``folder``: the content of files, where links lead."""
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[path.relative_to(folder).as_posix()] = path.readlink().as_posix()
        elif path.is_file():
            found[path.relative_to(folder).as_posix()] = path.read_bytes()
    return found


def put_model(cache: Path) -> Path:
    """A model in ``cache``, with what belongs to it and with another one beside it."""
    put(cache, "README.md", README)
    put(cache, "LICENSE", LICENSE)
    put(cache, "other.Q8_0.gguf", MODEL + bytes(32))
    return put(cache, NAME, MODEL)


def pack_model(model: Path, target: Path) -> Path:
    """The archive of that model."""
    export_model(model, target, name="phi-4-mini", variant=PHI_4_MINI, quant="Q4_K_M")
    return target
