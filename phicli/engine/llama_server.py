"""The default engine: a model loaded in a llama.cpp process of our own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from phicli.engine.client import ConnectionLost, ServerClient
from phicli.engine.process import WorkerProcess
from phicli.engine.types import Event, LoadSettings, Sampling
from phicli.errors import ContextExceededError, EngineError


class LlamaServerEngine:
    """A token-level engine (:class:`~phicli.engine.types.Engine`) in a child process.

    Args:
        settings: the file and how to load it.
        process: a process that was started early; a fresh one when None.
        log_dir: for a fresh process, where its log goes.
        on_tick: called about ten times a second while the model loads, with the seconds waited.

    Raises:
        EngineError: the file cannot be loaded; quotes the engine's reason.
    """

    def __init__(
        self,
        settings: LoadSettings,
        *,
        process: WorkerProcess | None = None,
        log_dir: Path | None = None,
        on_tick: Callable[[float], None] | None = None,
    ) -> None:
        self.settings = settings
        self._process = process or WorkerProcess(log_dir)
        try:
            self._process.load(settings)
            address = self._process.wait_ready(on_tick)
        except BaseException:
            self._process.close()
            raise
        self._client = ServerClient(address, self._process.api_key)

    @property
    def context_tokens(self) -> int:
        """The context the model was loaded with."""
        return self.settings.context_tokens

    @property
    def pid(self) -> int:
        """The process id of the engine, for measurements."""
        return self._process.pid

    def tokenize(self, text: str, *, parse_special: bool) -> tuple[int, ...]:
        """Token ids of ``text``, without a begin-of-text token."""
        if not text:
            return ()
        body = {"content": text, "parse_special": parse_special, "add_special": False}
        return tuple(int(token) for token in self._post("/tokenize", body)["tokens"])

    def generate(
        self,
        prompt: Sequence[int],
        sampling: Sampling,
        *,
        stop_ids: frozenset[int] = frozenset(),
        stop_strings: Sequence[str] = (),
        visible_tokens: Sequence[str] = (),
    ) -> Iterator[Event]:
        """Generate after ``prompt``; the last event is ``Done``. Closing the iterator stops the engine.

        Raises:
            ContextExceededError: the prompt leaves no room for an answer.
            EngineError: the engine died or answered with an error.
        """
        if not prompt:
            raise EngineError("there is nothing to generate from: the prompt has no tokens", "give a prompt")
        if len(prompt) >= self.context_tokens:
            message = f"the prompt has {len(prompt)} tokens, the context {self.context_tokens}"
            raise ContextExceededError(message, f"shorten it, or use a larger --context (above {len(prompt)})")
        try:
            yield from self._client.complete(
                prompt, sampling, stop_ids=stop_ids, stop_strings=stop_strings, visible_tokens=visible_tokens
            )
        except ConnectionLost as error:
            raise self._process.failure("the engine stopped in the middle of the answer", said=str(error)) from error

    def render_template(self, messages: Sequence[dict[str, str]]) -> str:
        """The prompt that the file's own chat template makes of ``messages``.

        Raises:
            EngineError: the file has no usable template.
        """
        return str(self._post("/apply-template", {"messages": list(messages)})["prompt"])

    def close(self) -> None:
        """End the engine and wait for it; safe to call twice."""
        if hasattr(self, "_client"):
            self._client.close()
        self._process.close()

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._client.post(path, body)
        except ConnectionLost as error:
            raise self._process.failure("the engine stopped", said=str(error)) from error
