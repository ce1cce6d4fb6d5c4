"""A model in a cache as huggingface_hub leaves it, and the archive of it."""

from __future__ import annotations

from pathlib import Path

from phicli.catalog.resolve import resolve
from phicli.hub.archive.exporting import export_model
from tests.support.cache_layout import Repo
from tests.support.files import git_oid
from tests.support.other_programs import phi_4_mini_bytes

REPO, COMMIT, NAME = "bartowski/microsoft_Phi-4-mini-instruct-GGUF", "7" * 40, "phi.Q4_K_M.gguf"
MODEL, README, LICENSE = phi_4_mini_bytes(), b"# About\n", b"MIT License\n"
PHI_4_MINI = resolve("phi-4-mini").variant


def put(cache: Path, name: str, content: bytes) -> Path:
    """A file as huggingface_hub leaves it."""
    repo = Repo(cache, REPO)
    repo.ref(COMMIT)
    return repo.put(COMMIT, name, content, None if name.endswith(".gguf") else git_oid(content))


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
