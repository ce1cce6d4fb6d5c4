"""A model that is quick to load and seldom comes to an end by itself: random weights, and a long context."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from phicli.gguf_file.synthetic import SyntheticShape, write_synthetic
from tests.support.running import Phi

STORYTELLER: Final = "storyteller"
STORY: Final[Mapping[str, Any]] = {
    "model": STORYTELLER,
    "messages": [{"role": "user", "content": "Tell me a very long story."}],
    "temperature": 1,
    "seed": 1,
}
"""The body of a request whose answer does not end within a test: with this seed it has more than 3,900 tokens."""
_SHAPE: Final = SyntheticShape("Storyteller", 4, 512, 1536, 8, 2, 64, 64, 8000, True, 65_536)


@pytest.fixture(scope="session")
def story_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("story") / f"{STORYTELLER}.gguf"
    write_synthetic(path, _SHAPE, quant="Q8_0")
    return path


@pytest.fixture
def storyteller(phi: Phi, story_file: Path) -> str:
    """The name of the model, which is installed in the environment of this test."""
    assert phi("cache", "import", str(story_file)).code == 0
    return STORYTELLER
