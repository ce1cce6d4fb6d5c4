"""An engine that tokenises and applies templates, started from a vocabulary; one per file and test session."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from phicli.errors import EngineError
from tests.support.vocabularies import Vocabulary, write

_SERVER = """
import sys, xllamacpp as x
p = x.CommonParams()
p.model.path = sys.argv[1]
p.n_ctx = 256; p.n_parallel = 1; p.verbosity = 1; p.warmup = False; p.fit_params = False; p.cache_ram_mib = 0
p.hostnames = ["127.0.0.1"]; p.port = 0; p.api_keys = ["k"]; p.ui = False
server = x.Server(p)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


class TokenizingEngine:
    """The engine's tokeniser and template, in a child process."""

    def __init__(self, path: Path, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self._address = self._process.stdout.readline().strip()
        assert self._address, "the engine did not load the file"

    def tokenize(self, text: str, *, parse_special: bool) -> tuple[int, ...]:
        """Ids of ``text`` without a begin-of-text token."""
        answer = self._post("/tokenize", {"content": text, "parse_special": parse_special})
        return tuple(answer["tokens"])

    def render_template(self, messages: Sequence[dict[str, str]]) -> str:
        """The prompt that the file's own template makes."""
        return str(self._post("/apply-template", {"messages": list(messages)})["prompt"])

    def close(self) -> None:
        """End the child."""
        self._process.kill()
        self._process.wait()

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(  # noqa: S310 (loopback)
            self._address + path,
            json.dumps(body).encode(),
            {"Authorization": "Bearer k", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise EngineError(error.read().decode()) from error


StartEngine = Callable[..., TokenizingEngine]


@pytest.fixture(scope="session")
def tokenizing_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartEngine]:
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
