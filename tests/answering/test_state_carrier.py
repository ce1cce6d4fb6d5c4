"""An answer whose context grows: what was evaluated is carried over, or evaluated again where that cannot be."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from phicli.answering.engines import OneEngine
from phicli.answering.local_model import LocalModel
from phicli.answering.model_file import ModelFile
from phicli.answering.pool import whole
from phicli.answering.state_carrier import StateCarrier
from phicli.answering.types import Answer, Notice
from phicli.chat_format import format_by_name
from phicli.chat_format.types import Message
from phicli.engine.closable import Closable, Closing
from phicli.engine.types import Chunk, Done, Engine, GenerationEvent, Sampling
from phicli.plan.context import ContextPlan
from tests.fakes.scripted_engine import special_tokens
from tests.fakes.stateful_engine import StatefulEngine
from tests.support.waiting import wait_until_it_waits

TEXT = "".join(chr(ord("a") + i % 26) for i in range(300))
PROMPT_TOKENS = 5
FIRST, SECOND = "model-00001-of-00002.gguf", "model-00002-of-00002.gguf"
Odd = dict[int, dict[str, Any]]


def script(prompt: str) -> str:
    said = prompt.rsplit("<|assistant|>", 1)[1]
    return TEXT[len(said) :] + "<|end|>" if TEXT.startswith(said) else "?<|end|>"


@dataclass
class Growth:
    """A model that begins with 64 tokens, of which 256 have the short factors, and its engines.

    ``odd`` is how engines differ, by their number; ``make`` makes them.
    """

    folder: Path
    odd: Odd = field(default_factory=dict)
    most_bytes: int = 1000
    make: Callable[..., StatefulEngine] = StatefulEngine
    engines: list[StatefulEngine] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.file, self.states = self.folder / FIRST, self.folder / "states"
        self.file.write_bytes(b"weights")
        self.folder.joinpath(SECOND).write_bytes(b"more weights")
        self.states.mkdir()
        context = ContextPlan(64, 1024, original_tokens=256)
        carrier = StateCarrier(
            self.states, self.file, load_key=context.has_long_factors, most_bytes=lambda _: self.most_bytes
        )
        chosen = format_by_name("phi-4-mini")
        file = ModelFile("fake", None, special_tokens(), None, lambda _: chosen)
        self.model = LocalModel(file, OneEngine(self.start, 64, carrier), context)

    def start(self, context_tokens: int) -> Engine:
        odd = self.odd.get(len(self.engines), {})
        self.engines.append(self.make(script, context_tokens=context_tokens, **odd))
        return self.engines[-1]

    def ask(self, *messages: Message, max_tokens: int | None = None) -> Answer:
        sampling = Sampling(max_tokens=max_tokens)
        answering = self.model.answer(messages or (Message("user", "go"),), sampling=sampling)
        return whole(answering, on_notice=lambda notice: self.notices.append(notice.text))

    @property
    def restored(self) -> list[int]:
        return [engine.restored for engine in self.engines]

    @property
    def grown_to(self) -> list[str]:
        return [notice.rsplit(" ", 1)[1] for notice in self.notices]


def test_what_was_evaluated_is_carried_over_in_silence_on_one_side_of_the_border(tmp_path: Path) -> None:
    growth = Growth(tmp_path)
    answer = growth.ask()
    assert (answer.text, answer.finish_reason, answer.context_tokens) == (TEXT, "stop", 512)
    assert [engine.context_tokens for engine in growth.engines] == [64, 128, 256, 512]
    assert growth.restored == [0, 1, 1, 0]
    assert growth.grown_to == ["512"]
    assert [engine.closed for engine in growth.engines] == [True, True, True, False]
    assert list(growth.states.iterdir()) == []
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (PROMPT_TOKENS, 300)
    assert answer.usage.cached_tokens == 0  # as it was when the answer began
    assert answer.token_ids == tuple(map(ord, TEXT))


def test_a_conversation_that_no_longer_fits_is_carried_over(tmp_path: Path) -> None:
    growth = Growth(tmp_path)
    first = growth.ask(Message("user", "x" * 20), max_tokens=20)
    second = growth.ask(Message("user", "x" * 20), first.message, Message("user", "y" * 40), max_tokens=20)
    assert growth.restored == [0, 1]
    assert growth.notices == []
    assert (second.text, second.usage.cached_tokens >= 40) == (TEXT[:20], True)


def test_a_prompt_that_was_estimated_too_short_grows_in_silence(tmp_path: Path) -> None:
    """Nothing was evaluated yet; across the border the notice stays, since all that follows depends on it."""
    growth = Growth(tmp_path)
    assert growth.ask(Message("user", "x" * 100), max_tokens=5).context_tokens == 256
    assert growth.notices == []
    assert growth.engines[1].prompts[0].startswith("<|user|>xxx")
    other = Growth(tmp_path.parent / f"{tmp_path.name}-long")
    assert other.ask(Message("user", "x" * 300), max_tokens=5).context_tokens == 512
    assert other.grown_to == ["512"]


@pytest.mark.parametrize(
    "odd",
    [{1: {"build": "scripted 2"}}, {0: {"refuses": True}}, {1: {"dies_restoring": True}}],
    ids=["another build", "not saved", "dies of it"],
)
def test_where_it_cannot_be_carried_it_is_evaluated_again_with_a_notice(tmp_path: Path, odd: Odd) -> None:
    growth = Growth(tmp_path, odd)
    assert growth.ask().text == TEXT
    assert growth.notices[0] == "the conversation no longer fits into 64 tokens; continuing with 128"
    assert growth.engines[1].restored == 0
    assert sum(growth.restored) == (0 if "build" in str(odd) else 1)
    assert all(engine.closed for engine in growth.engines[:-1])
    assert list(growth.states.iterdir()) == []


def test_a_disk_with_too_little_left_is_not_written_to(tmp_path: Path) -> None:
    growth = Growth(tmp_path, most_bytes=1 << 62)
    assert growth.ask().text == TEXT
    assert growth.grown_to == ["128", "256", "512"]
    assert not any(engine.saved for engine in growth.engines)


def test_a_folder_that_has_gone(tmp_path: Path) -> None:
    growth = Growth(tmp_path)
    growth.states.rmdir()
    assert growth.ask().text == TEXT
    assert growth.grown_to == ["128", "256", "512"]


class Meddled(StatefulEngine):
    """Whoever meddles with it does so between saving and restoring."""

    def __init__(self, *arguments: Any, meddle: Callable[[Path], object] = lambda _: None, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.meddle = meddle

    def close(self) -> None:
        super().close()
        for path in self.saved:
            self.meddle(path)


@pytest.mark.parametrize(
    "meddle",
    [
        lambda path: path.write_text(path.read_text().replace("97", "98")),
        lambda path: path.unlink(),
        lambda path: path.parents[1].joinpath(FIRST).write_bytes(b"other weights"),
        lambda path: path.parents[1].joinpath(SECOND).write_bytes(b"other weights"),
        lambda path: path.parents[1].joinpath(FIRST).unlink(),
    ],
    ids=["changed", "gone", "another model", "another part", "no model"],
)
def test_a_state_that_is_no_longer_what_it_was_is_not_restored(
    tmp_path: Path, meddle: Callable[[Path], object]
) -> None:
    growth = Growth(tmp_path, {0: {"meddle": meddle}}, make=Meddled)
    assert growth.ask().text == TEXT
    assert growth.restored[1] == 0
    assert growth.grown_to[0] == "128"
    assert list(growth.states.iterdir()) == []


class ReplacedFirst(StatefulEngine):
    """Its model file is replaced after it was loaded, and before its state is saved."""

    def save_state(self, path: Path, closing: Closing | None = None) -> tuple[int, ...]:
        path.parents[1].joinpath(FIRST).write_bytes(b"other weights")
        return super().save_state(path, closing)


def test_a_state_of_the_file_as_it_was_is_not_restored_with_the_file_as_it_is(tmp_path: Path) -> None:
    growth = Growth(tmp_path, make=ReplacedFirst)
    assert growth.ask().text == TEXT
    assert growth.restored == [0, 0, 0, 0]


class CutsCharacters(StatefulEngine):
    """Each character of its answers takes three tokens, whose ids it does not tell, and only whole ones come.

    The server of llama.cpp leaves out of its stream the ids that end inside a character.
    """

    def generate(self, *prompt: Any, **more: Any) -> Closable[GenerationEvent]:
        return Closable(lambda _: self._in_threes(super(CutsCharacters, self).generate(*prompt, **more)))

    def _in_threes(self, generation: Closable[GenerationEvent]) -> Any:
        held: list[Chunk] = []
        for event in generation:
            if isinstance(event, Chunk):
                held.append(event)
                if len(held) == 3:
                    yield Chunk("".join(chunk.text for chunk in held).upper(), None, 3)
                    held = []
            elif isinstance(event, Done):
                last = None if held or not event.token_ids else event.token_ids[-1]
                yield replace(event, token_ids=None, last_id=last)
            else:
                yield event


@pytest.mark.parametrize("question", ["", "g", "go", "go!"])
def test_the_ids_that_an_engine_does_not_tell_are_those_of_its_state(tmp_path: Path, question: str) -> None:
    """Text in capitals would be tokenized again to ids that the model has not generated."""
    growth = Growth(tmp_path, make=CutsCharacters)
    answer = growth.ask(Message("user", question))
    assert (answer.text, answer.finish_reason) == (TEXT.upper(), "stop")
    assert growth.restored == [0, 1, 1, 0]  # across the border the ids alone are of use
    assert answer.usage.completion_tokens == 300
    for engine in growth.engines[1:]:
        assert engine.prompts[0].rsplit("<|assistant|>")[1] in TEXT


class Impatient(StatefulEngine):
    """A person presses Ctrl-C while the first of them is being ended."""

    def close(self) -> None:
        self.closed = True
        if self.context_tokens == 64:
            raise KeyboardInterrupt


def test_an_interruption_while_the_smaller_engine_ends_leaves_no_dead_engine_behind(tmp_path: Path) -> None:
    growth = Growth(tmp_path, make=Impatient)
    with pytest.raises(KeyboardInterrupt):
        growth.ask()
    assert [engine.closed for engine in growth.engines] == [True]
    assert list(growth.states.iterdir()) == []
    growth.odd[1] = {"build": "scripted 2"}
    assert growth.ask(Message("user", "hi"), max_tokens=3).text == TEXT[:3]
    assert len(growth.engines) == 2


def test_closing_ends_it_while_the_state_is_saved(tmp_path: Path) -> None:
    growth = Growth(tmp_path)
    answering = growth.model.answer((Message("user", "go"),), sampling=Sampling())
    events = iter(answering)
    seen = 0
    while seen < 64 - PROMPT_TOKENS:
        seen += not isinstance(next(events), Notice)
    with growth.engines[0].standing_still():
        waiting = threading.Thread(target=list, args=(events,))
        waiting.start()
        wait_until_it_waits(waiting)
        answering.close()
        waiting.join(30)
        assert not waiting.is_alive()
    assert answering.so_far().finish_reason == "interrupted"
    assert list(growth.states.iterdir()) == []
    assert growth.ask().text == TEXT
