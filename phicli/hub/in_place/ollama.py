"""Finds the models of Ollama, which keeps them without names: a manifest says which blob is the model.

``manifests/REGISTRY/NAMESPACE/MODEL/TAG`` is a JSON text; its layer of the type below has the digest ``sha256:HEX``,
and the file is ``blobs/sha256-HEX``. Nothing here is ever written to.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from phicli.hub.in_place.folders import broken_folder, skipped_folders
from phicli.hub.in_place.types import Findings, FoundFile, Skipped
from phicli.hub.walking import walk
from phicli.paths import expand, read_small

ORIGIN: Final = "ollama"
_MODEL: Final = "application/vnd.ollama.image.model"
_ADAPTER: Final = "application/vnd.ollama.image.adapter"
_DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")
_LARGEST_MANIFEST_BYTES: Final = 1 << 20
_FOLDERS_OF_MANIFEST: Final = 3


class _UnusableError(Exception):
    """Why a manifest leads to no file."""


def ollama_folders(environ: Mapping[str, str] | None = None) -> tuple[Path, ...]:
    """Where Ollama keeps models: ``OLLAMA_MODELS`` when it is set, else a person's own and those of the service."""
    env = os.environ if environ is None else environ
    if folder := env.get("OLLAMA_MODELS"):
        return (expand(folder),)
    return (expand("~/.ollama/models"), Path("/usr/share/ollama/.ollama/models"))


def find_ollama(folders: tuple[Path, ...] | None = None) -> Findings:
    """The models in Ollama's ``folders`` (its usual ones by default); a blob with several names comes once."""
    found: dict[Path, FoundFile] = {}
    skipped: list[Skipped] = []
    looked: list[Path] = []
    for folder in ollama_folders() if folders is None else folders:
        root = folder / "manifests"
        skipped += broken_folder(root, ORIGIN)
        if not os.path.isdir(root):  # noqa: PTH112 (false for what cannot be a path)
            continue
        looked.append(folder)
        below = walk(root, deepest=_FOLDERS_OF_MANIFEST)
        manifests = [path for path in below.files if _is_manifest(path, root)]
        skipped += skipped_folders(below, root, ORIGIN, set(below.files).difference(manifests))
        for manifest in manifests:
            label = _label(manifest.relative_to(root).parts)
            try:
                file = _model_of(manifest, folder / "blobs", label)
            except _UnusableError as error:
                skipped.append(Skipped(ORIGIN, label, str(error)))
            else:
                found.setdefault(file.path, file)
    return Findings(tuple(looked), tuple(found.values()), tuple(skipped))


def _is_manifest(path: Path, root: Path) -> bool:
    """Whether ``path`` is at the depth where manifests are below ``root``, and not hidden."""
    return len(path.relative_to(root).parts) == _FOLDERS_OF_MANIFEST + 1 and not path.name.startswith(".")


def _label(parts: tuple[str, ...]) -> str:
    """The name that ``ollama list`` shows, for the parts of a manifest's path."""
    registry, namespace, model, tag = parts
    if (registry, namespace) == ("registry.ollama.ai", "library"):
        return f"{model}:{tag}"
    return f"{namespace}/{model}:{tag}" if registry == "registry.ollama.ai" else f"{registry}/{namespace}/{model}:{tag}"


def _model_of(manifest: Path, blobs: Path, label: str) -> FoundFile:
    layers = _layers(manifest)
    models = [layer for layer in layers if layer.get("mediaType") == _MODEL]
    if not models:
        raise _UnusableError("it has no GGUF file here (a cloud model, or one in another format)")
    if len(models) > 1:
        raise _UnusableError("it is in several parts")
    if any(layer.get("mediaType") == _ADAPTER for layer in layers):
        raise _UnusableError("it is a base model with an adapter, which only Ollama can combine")
    digest = _DIGEST.fullmatch(str(models[0].get("digest")))
    if digest is None:
        raise _UnusableError("its manifest names no SHA-256")
    path = blobs / f"sha256-{digest[1]}"
    try:
        size_bytes = path.stat().st_size
    except OSError as error:
        raise _UnusableError(f"its file {path} cannot be read: {error.strerror}") from None
    promised = models[0].get("size", size_bytes)
    if not isinstance(promised, int):
        raise _UnusableError("its manifest is damaged")
    if promised != size_bytes:
        raise _UnusableError(f"its file {path} has {size_bytes:,} bytes, but its manifest says {promised:,}")
    return FoundFile(path, ORIGIN, label, digest[1], size_bytes)


def _layers(manifest: Path) -> list[Mapping[str, Any]]:
    try:
        layers = json.loads(read_small(manifest, _LARGEST_MANIFEST_BYTES))["layers"]
    except OSError as error:
        raise _UnusableError(f"its manifest cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _UnusableError("its manifest is damaged") from None
    if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers):
        raise _UnusableError("its manifest is damaged")
    return layers
