"""Asks a model questions as ``phi chat`` would, each in a conversation of its own, several at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType

from phicli.bench.evaluation.types import Item, Reply
from phicli.bench.launch import NATIVE, find_llama_server, load_settings
from phicli.chat.open import bos_id_of, special_tokens_of
from phicli.chat.session import ChatSession
from phicli.chat.types import Answer, ChatModel, Notice
from phicli.chat_format import format_by_name
from phicli.chat_format.template import FileTemplate
from phicli.chat_format.types import PromptFormat
from phicli.commands.benching.options import BenchOptions
from phicli.commands.benching.preparing import Prepared
from phicli.engine.llama_server import LlamaServerEngine
from phicli.engine.types import Engine
from phicli.errors import ContextExceededError
from phicli.paths import log_dir
from phicli.plan.identify import TEMPLATE


class Asking:
    """A loaded model; a context, which ends the engine.

    Args:
        prepared: the model, and how it is loaded.
        options: for the binary of another engine.
        tell: is told in words what a person should know.
        on_tick: called about ten times a second while the model loads, with the seconds waited.
    """

    def __init__(
        self,
        prepared: Prepared,
        options: BenchOptions,
        *,
        tell: Callable[[str], None] | None = None,
        on_tick: Callable[[float], None] | None = None,
    ) -> None:
        self._prepared = prepared
        self._options = options
        self._tell = tell or (lambda _: None)
        self._on_tick = on_tick
        self._lock = threading.Lock()
        self._told: set[str] = set()
        self._engines: dict[int, LlamaServerEngine] = {}
        self._stopped = False

    def __enter__(self) -> Asking:
        try:
            self._engine(self._prepared.context.first_tokens)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def build(self) -> str:
        """The engine and its version, as it tells it."""
        return self._engine(self._prepared.context.first_tokens).build

    def stop(self) -> None:
        """End the engine; what is being asked fails. Safe to call twice, and from any thread."""
        self._stopped = True
        for engine in list(self._engines.values()):
            engine.close()

    def ask(self, item: Item) -> Reply:
        """Ask one question; from any thread.

        Raises:
            EngineError: the engine failed or was stopped.
            UsageError: the model has no place for a system message.
        """
        prepared, sampling = self._prepared, self._prepared.sampling
        session = ChatSession(
            model=self._chat_model(),
            open_engine=lambda size: _Shared(self._engine(size)),
            context=prepared.context,
            sampling=sampling if item.max_tokens is None else replace(sampling, max_tokens=item.max_tokens),
            system=prepared.systems[item.system],
        )
        try:
            for event in session.ask(item.prompt):
                if isinstance(event, Notice):
                    self._say_once(event.text)
        except ContextExceededError as error:
            self._say_once(f"{item.item_id}: {error.message}")
            tokens = (error.data or {}).get("prompt_tokens", 0)
            return Reply("", "", "context", int(tokens), 0, 0.0, 0.0, 0.0)
        assert session.last is not None  # noqa: S101 (asking ends with it)
        return _reply(session.last)

    def _chat_model(self) -> ChatModel:
        prepared = self._prepared
        return ChatModel(
            name=prepared.subject.model,
            quant=prepared.subject.quant,
            special_tokens=special_tokens_of(prepared.header),
            bos_id=bos_id_of(prepared.header),
            format_for=self._format,
        )

    def _format(self, engine: Engine) -> PromptFormat:
        choice = self._prepared.plan.format
        if choice.name == TEMPLATE:
            return FileTemplate(engine.render_template, reasoning=choice.reasoning)
        return format_by_name(choice.name, reasoning=choice.reasoning)

    def _engine(self, context_tokens: int) -> LlamaServerEngine:
        """The engine with this context: that of all slots, or one of a single slot for what has outgrown it."""
        with self._lock:
            if context_tokens not in self._engines:
                slots = self._prepared.slots if context_tokens == self._prepared.context.first_tokens else 1
                self._engines[context_tokens] = self._start(context_tokens, slots)
                if self._stopped:  # meanwhile, by another thread
                    self._engines[context_tokens].close()
                self._engines[context_tokens].wait_ready()
            return self._engines[context_tokens]

    def _start(self, context_tokens: int, slots: int) -> LlamaServerEngine:
        prepared = self._prepared
        settings = load_settings(prepared.subject, prepared.settings, context_tokens, slots=slots, warmup=True)
        if prepared.subject.engine == NATIVE:
            from phicli.engine.native_server import NativeServerEngine

            binary = find_llama_server(self._options.llama_server)
            return NativeServerEngine(settings, binary, log_dir=log_dir(), on_tick=self._on_tick)
        return LlamaServerEngine(settings, log_dir=log_dir(), on_tick=self._on_tick)

    def _say_once(self, text: str) -> None:
        with self._lock:
            new = text not in self._told
            self._told.add(text)
        if new:
            self._tell(text)


class _Shared:
    """An engine that several conversations use: none of them may end it."""

    def __init__(self, engine: LlamaServerEngine) -> None:
        self._engine = engine
        self.context_tokens = engine.context_tokens
        self.load_ms = engine.load_ms
        self.tokenize = engine.tokenize
        self.generate = engine.generate
        self.render_template = engine.render_template

    def close(self) -> None:
        """Nothing: others may still use it."""


def _reply(answer: Answer) -> Reply:
    timings = answer.timings
    return Reply(
        text=answer.text.strip(),
        reasoning=answer.reasoning,
        finish_reason="length" if answer.finish_reason == "length" else "stop",
        prompt_tokens=answer.usage.prompt_tokens,
        completion_tokens=answer.usage.completion_tokens,
        prompt_ms=timings.prompt_ms if timings else 0.0,
        decode_ms=timings.decode_ms if timings else 0.0,
        total_ms=answer.total_ms,
    )
