"""The files that comparisons run on: true dimensions and vocabulary, random weights. Made once and kept in a cache."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import platformdirs

from phicli.gguf_file.synthetic import PHI_4_MINI, SyntheticShape, write_synthetic


def cache_folder() -> Path:
    """Where benchmarks keep what takes long to make."""
    return platformdirs.user_cache_path("phicli-benchmarks", appauthor=False)


def synthetic_file(layers: int | None) -> Path:
    """The synthetic Phi-4-mini in Q4_K_M: 2.49 GB with all layers, 0.5 GB and 62 MB for each layer with fewer."""
    return _written(f"phi-4-mini-synthetic-q4_k_m-{layers or 'all'}-layers.gguf", PHI_4_MINI, layers)


def vocabulary_file() -> Path:
    """A file of 48 MB with the same vocabulary and chat format; it loads in half a second, to count tokens."""
    small = replace(PHI_4_MINI, embedding=256, feed_forward=256, heads=2, kv_heads=1)
    return _written("phi-4-mini-synthetic-vocabulary.gguf", small, 1)


def _written(name: str, shape: SyntheticShape, layers: int | None) -> Path:
    path = cache_folder() / name
    if not path.exists():
        print(f"writing {path} …", file=sys.stderr)
        write_synthetic(path, shape, layers=layers)
    return path
