"""What answers in tests of batches, without a model."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from phicli.answering.asked import Asked
from phicli.answering.types import Answer
from phicli.batch.options import BatchOptions
from phicli.engine.types import Usage
from phicli.errors import EngineError
from phicli.jobs.planning import Needs
from phicli.jobs.running import Worker
from phicli.jobs.watch import Watch
from phicli.jobs.workers import Outcome
from phicli.plan.chat_options import ChatOptions

Ask = Callable[[Asked], Outcome]


def answer(text: str, **more: Any) -> Answer:
    """A whole answer of three tokens."""
    whole = Answer(
        text=text, reasoning="", tool_calls=(), finish_reason="stop", usage=Usage(10, 3, 4), timings=None, load_ms=0.0,
        ttft_ms=1.0, total_ms=2.0, context_tokens=None, used_tokens=13,
    )  # fmt: skip
    return replace(whole, **more)


def question(asked: Asked) -> str:
    """The last thing that is said."""
    return asked.messages[-1].content


def echo(asked: Asked) -> Outcome:
    """Say what was asked."""
    return Outcome(answer(f"echo {question(asked)}"))


class ScriptedWorker:
    """Answers with a function."""

    def __init__(self, ask: Ask, name: str = "scripted", slots: int = 3) -> None:
        self.name, self.slots, self._ask = name, slots, ask

    def ask(self, item: Asked) -> Outcome:
        return self._ask(item)

    def drain(self) -> None:
        pass

    def stop(self) -> None:
        pass


class ScriptedTarget:
    """Answers a batch; ``opened`` counts how often it was needed, and ``needs`` are those of the last time."""

    name = "scripted"

    def __init__(self, ask: Ask = echo, *, sha256: str = "00", workers: Sequence[Worker[Asked, Outcome]] = ()) -> None:
        self._workers = workers or [ScriptedWorker(ask)]
        self._sha256 = sha256
        self.opened = 0
        self.needs: Needs | None = None

    def about(self, watch: Watch) -> Mapping[str, Any]:
        del watch
        return {"sha256": self._sha256}

    @contextlib.contextmanager
    def open(self, needs: Needs, watch: Watch) -> Iterator[Sequence[Worker[Asked, Outcome]]]:
        del watch
        self.opened += 1
        self.needs = needs
        yield self._workers


class Told:
    """Remembers what is said."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.said: list[str] = []
        self.warned: list[str] = []

    def show(self, text: str, left_s: float | None = None) -> None:
        del left_s
        self.shown.append(text)

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.warned.append(text)


def batch_of(source: Path, out: Path, **more: Any) -> BatchOptions:
    """A batch of the file ``source``."""
    return BatchOptions(str(source), out, "scripted", **{"options": ChatOptions(), **more})


def lines(path: Path) -> list[dict[str, Any]]:
    """The objects in a finished output."""
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def never(asked: Asked) -> Outcome:
    """Nothing is to be asked."""
    raise AssertionError(f"asked again: {question(asked)}")


def failing(*words: str) -> Any:
    """What fails at these questions."""

    def ask(asked: Asked) -> Outcome:
        if question(asked) in words:
            return Outcome(None, EngineError(f"no answer to {question(asked)}"))
        return echo(asked)

    return ask
