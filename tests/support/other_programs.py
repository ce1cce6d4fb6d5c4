"""Folders of models in the shape that Ollama and LM Studio give them, and small files to put there."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tests.gguf_file.gguf_bytes import STRING, U32, pair, small_file

MODEL_LAYER = "application/vnd.ollama.image.model"


def phi_4_mini_bytes(name: str = "Phi 4 Mini Instruct", *, layers: int = 32, architecture: str = "phi3") -> bytes:
    """A GGUF file with hardly any weights whose header has the name and the dimensions of Phi-4-mini."""
    return small_file(
        architecture=pair("general.architecture", STRING, architecture),
        name=pair("general.name", STRING, name),
        blocks=pair(f"{architecture}.block_count", U32, layers),
        embedding=pair(f"{architecture}.embedding_length", U32, 3072),
    )


def put_in_ollama(
    models: Path, name: str, content: bytes, *, owner: str = "registry.ollama.ai/library", **changed: Any
) -> Path:
    """A model called ``name`` (``model:tag``) as ``ollama pull`` leaves it; ``changed`` replaces keys of its layer."""
    digest = hashlib.sha256(content).hexdigest()
    blob = models / "blobs" / f"sha256-{digest}"
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(content)
    layer = {"mediaType": MODEL_LAYER, "digest": f"sha256:{digest}", "size": len(content)} | changed
    put_manifest(models, name, [{"mediaType": "application/vnd.ollama.image.license", "size": 3}, layer], owner=owner)
    return blob


def put_manifest(models: Path, name: str, layers: Any, *, owner: str = "registry.ollama.ai/library") -> Path:
    """The manifest alone."""
    model, _, tag = name.partition(":")
    path = models / "manifests" / owner / model / tag
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"schemaVersion": 2, "layers": layers}))
    return path


def put_in_lm_studio(models: Path, name: str, content: bytes) -> Path:
    """A file ``PUBLISHER/REPOSITORY/FILE.gguf``."""
    path = models / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
