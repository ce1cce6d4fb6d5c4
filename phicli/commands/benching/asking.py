"""Asks a model questions as ``phi chat`` would, each in a conversation of its own, several at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Final

from phicli.answering.types import Answer, ChatModel, Notice
from phicli.bench.evaluation.preparing import EvalOptions, Prepared
from phicli.bench.evaluation.types import Item, Reply
from phicli.chat.open import bos_id_of, format_of, special_tokens_of
from phicli.chat.session import ChatSession
from phicli.commands.benching.gate import Gate
from phicli.engine.starting import start_engine
from phicli.engine.types import LoadSettings, LocalEngine
from phicli.errors import ContextExceededError, EngineError, UsageError

_MOST_CRASHES: Final = 16
"""In a row, of engines that had one question each: then it is not the questions."""

_LONG_RUN: Final = 20_000
"""Characters; llama.cpp's splitting of text recurses for each of a run without spaces."""


class Asking:
    """A loaded model; a context, which ends the engine.

    A question that the engine refuses or that does not fit fails, and the others go on. When the engine crashes, each
    question that was under way is asked again alone, so that the one which crashes it is found and fails.

    Args:
        prepared: the model, and how it is loaded.
        options: for the binary of another engine.
        tell: is told in words what a person should know.
        on_tick: called about ten times a second while the model loads, with the seconds waited.
    """

    def __init__(
        self,
        prepared: Prepared,
        options: EvalOptions,
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
        self._engines: dict[int, LocalEngine] = {}
        self._stopped = False
        self._gate = Gate()
        self._restarts = self._crashes = 0
        self._model = ChatModel(
            name=prepared.subject.model,
            quant=prepared.subject.quant,
            special_tokens=special_tokens_of(prepared.header),
            bos_id=bos_id_of(prepared.header),
            format_for=lambda engine: format_of(prepared.plan.format, engine),
        )

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
            EngineError: the engine was stopped, was killed, hangs, or crashes at every question.
            UsageError: the model has no place for a system message.
        """
        with self._gate.together():
            before = self._restarts
            self._engine(self._prepared.context.first_tokens)
            try:
                reply = self._ask(item)
            except EngineError as error:
                if not self._crashed(error):
                    raise
            else:
                self._crashes = 0
                return reply
        with self._gate.alone():
            if before == self._restarts:
                self._restart()
            return self._ask_alone(item)

    def _ask_alone(self, item: Item) -> Reply:
        """Ask while nothing else is asked: a crash now is that of this question."""
        self._engine(self._prepared.context.first_tokens)
        try:
            reply = self._ask(item)
        except EngineError as error:
            if not self._crashed(error):
                raise
            self._restart()
            self._crashes += 1
            if self._crashes >= _MOST_CRASHES:
                message = f"the engine crashed at {self._crashes} questions in a row; the last time: {error.message}"
                raise EngineError(message, error.hint, data=error.data) from error
            return Reply.none("error", error.message + _without_space(item.prompt))
        self._crashes = 0
        return reply

    def _crashed(self, error: EngineError) -> bool:
        return not self._stopped and bool((error.data or {}).get("crashed"))

    def _restart(self) -> None:
        """End all engines; the next question starts a new one."""
        self._restarts += 1
        with self._lock:
            for engine in self._engines.values():
                engine.close()
            self._engines.clear()

    def _ask(self, item: Item) -> Reply:
        """The reply to one question, or what stands in its place where only this question is the trouble."""
        prepared, sampling = self._prepared, self._prepared.sampling
        session = ChatSession(
            model=self._model,
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
            tokens = (error.data or {}).get("prompt_tokens", 0)
            return Reply.none("context", error.message, prompt_tokens=int(tokens))
        except EngineError as error:
            if self._stopped or error.data is not None:  # of the process, not of this question
                raise
            return Reply.none("error", error.message)
        except UsageError as error:
            raise UsageError(f"{item.item_id}: {error.message}", "ask without a system message") from error
        assert session.last is not None  # noqa: S101 (asking ends with it)
        return _reply(session.last)

    def _engine(self, context_tokens: int) -> LocalEngine:
        """The engine with this context: that of all slots, or one of a single slot for what has outgrown it.

        Raises:
            EngineError: it cannot be loaded. Without ``data`` where it is one for a long question: others go on.
        """
        usual = context_tokens == self._prepared.context.first_tokens
        with self._lock:
            if context_tokens not in self._engines:
                engine = self._start(context_tokens, self._prepared.slots if usual else 1)
                self._engines[context_tokens] = engine
                if self._stopped:  # meanwhile, by another thread
                    engine.close()
                try:
                    engine.wait_ready()
                except EngineError as error:
                    if usual or self._stopped:
                        raise
                    self._engines.pop(context_tokens).close()
                    message = f"a context of {context_tokens} tokens cannot be loaded: {error.message}"
                    raise EngineError(message, error.hint) from error
            return self._engines[context_tokens]

    def _start(self, context_tokens: int, slots: int) -> LocalEngine:
        prepared = self._prepared
        settings = LoadSettings(prepared.subject.path, context_tokens, prepared.settings, warmup=True, slots=slots)
        program = self._options.llama_server
        return start_engine(prepared.subject.engine, settings, program=program, on_tick=self._on_tick)

    def _say_once(self, text: str) -> None:
        with self._lock:
            new = text not in self._told
            self._told.add(text)
        if new:
            self._tell(text)


def _without_space(text: str) -> str:
    """What is most likely the reason for a crash, in words; empty where it is not there."""
    longest = max(map(len, text.split()), default=0)
    return f"; the question has {longest:,} characters without a space" if longest >= _LONG_RUN else ""


class _Shared:
    """An engine that several conversations use: none of them may end it."""

    def __init__(self, engine: LocalEngine) -> None:
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
