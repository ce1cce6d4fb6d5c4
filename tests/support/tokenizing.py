"""An engine that tokenises and applies templates, started from a vocabulary; one per file and test session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.settings import EngineSettings
from phicli.engine.types import LoadSettings
from tests.support.vocabularies import Vocabulary, write


class TokenizingEngine(LlamaServerEngine):
    """The real engine on a file that is little more than its vocabulary."""

    def __init__(self, path: Path, vocabulary: Vocabulary) -> None:
        super().__init__(LoadSettings(path, 256, EngineSettings(threads=1), own_template=True))
        self.vocabulary = vocabulary


StartEngine = Callable[..., TokenizingEngine]


@pytest.fixture(scope="session")
def tokenizing_engine(tmp_path_factory: pytest.TempPathFactory, starts_process: None) -> Iterator[StartEngine]:
    """Start an engine for a vocabulary (and a template); the same one again for the same arguments."""
    running: dict[tuple[Vocabulary, str | None], TokenizingEngine] = {}

    def start(vocabulary: Vocabulary, chat_template: str | None = None) -> TokenizingEngine:
        key = (vocabulary, chat_template)
        if key not in running:
            path = write(tmp_path_factory.mktemp("vocabulary") / "model.gguf", vocabulary, chat_template=chat_template)
            running[key] = TokenizingEngine(path, vocabulary)
        return running[key]

    yield start
    for engine in running.values():
        engine.close()
