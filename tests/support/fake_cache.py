"""Model files in a Hugging Face cache, without a hub."""

from __future__ import annotations

from pathlib import Path

import phicli

TINY_PHI = Path(phicli.__file__).parent / "data" / "tiny-phi.gguf"
COMMIT = "a" * 40


def put_in_cache(hub: Path, repo: str, filename: str, content: bytes | None = None) -> Path:
    """``filename`` in the cache folder ``hub`` as the main revision of ``repo``; by default a copy of tiny-phi."""
    root = hub / f"models--{repo.replace('/', '--')}"
    path = root / "snapshots" / COMMIT / filename
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(TINY_PHI.read_bytes() if content is None else content)
    (root / "refs").mkdir(exist_ok=True)
    (root / "refs" / "main").write_text(COMMIT)
    return path
