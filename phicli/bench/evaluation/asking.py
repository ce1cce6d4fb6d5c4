"""Asks a model the questions of an evaluation as ``phi chat`` would, each in a conversation of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from phicli.answering.pool import Pool
from phicli.answering.types import Answer, Notice
from phicli.bench.evaluation.types import Item, Reply
from phicli.chat_format.types import Message
from phicli.engine.types import Sampling
from phicli.errors import ContextExceededError, EngineDiedError, EngineError, UsageError


class Asking:
    """Turns items into messages and answers into replies.

    Args:
        pool: who answers.
        systems: the system message that is really sent for each that the items have.
        sampling: how tokens are chosen; an item may have another limit of tokens.
        tell: is told in words what a person should know, everything once.
    """

    def __init__(
        self,
        pool: Pool,
        systems: Mapping[str | None, str | None],
        sampling: Sampling,
        *,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self._pool = pool
        self._systems = systems
        self._sampling = sampling
        self._tell = tell or (lambda _: None)
        self._lock = threading.Lock()
        self._told: set[str] = set()

    def ask(self, item: Item) -> Reply:
        """Ask one question; from any thread. One that cannot be answered is a reply that failed.

        Raises:
            EngineError: the engine was stopped, was killed, hangs, or crashes at every question.
            UsageError: the model has no place for a system message.
        """
        system, most = self._systems[item.system], item.max_tokens
        messages = [*([Message("system", system)] if system else []), Message("user", item.prompt)]
        sampling = self._sampling if most is None else replace(self._sampling, max_tokens=most)
        try:
            begin = partial(self._pool.answer, messages, sampling=sampling)
            return _reply(self._pool.ask(begin, on_notice=self._say_once))
        except ContextExceededError as error:
            tokens = (error.data or {}).get("prompt_tokens", 0)
            return Reply.none("context", error.message, prompt_tokens=int(tokens))
        except EngineDiedError:
            raise
        except EngineError as error:
            return Reply.none("error", error.message)
        except UsageError as error:
            raise UsageError(f"{item.item_id}: {error.message}", "ask without a system message") from error

    def _say_once(self, notice: Notice) -> None:
        with self._lock:
            new = notice.text not in self._told
            self._told.add(notice.text)
        if new:
            self._tell(notice.text)


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
