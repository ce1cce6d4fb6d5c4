"""The input and the output of batches."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps({"id": f"n{n}", "prompt": f"q{n}"}) + "\n" for n in range(20)), encoding="utf-8")
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"
