"""An answer whose context grows on the way has the tokens of the reference, wherever it is cut; on real engines."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from phicli.answering.engines import OneEngine
from phicli.answering.local_model import LocalModel
from phicli.answering.model_file import model_file
from phicli.answering.pool import whole
from phicli.answering.state_carrier import StateCarrier, carrier_of
from phicli.answering.types import Answer, Notice
from phicli.chat_format.types import Message
from phicli.engine.closable import Closing
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.types import Engine, LoadSettings, Sampling
from phicli.gguf_file.header import read_header
from phicli.plan.chat_options import ChatOptions
from phicli.plan.load import LoadPlan, Use, plan_load
from phicli.plan.locate import locate
from tests.support.files import TINY_PHI
from tests.support.tiny_phi_numpy import TinyPhi

_DATA = Path(__file__).parents[1] / "data"
REFERENCE = {
    prompt["id"]: prompt
    for prompt in json.loads((_DATA / "tiny_phi_reference.json").read_text(encoding="utf-8"))["prompts"]
}
CONVERSATIONS = {
    conversation["id"]: [Message(raw["role"], raw["content"]) for raw in conversation["messages"][:-1]]
    for conversation in json.loads((_DATA / "tiny_phi_conversations.json").read_text(encoding="utf-8"))
}


class Lasting(LlamaServerEngine):
    """An engine that outlives an answer, so that another answer need not wait for it; it remembers its prompts."""

    def __init__(self, settings: LoadSettings) -> None:
        super().__init__(settings)
        self.prompts: list[tuple[int, ...]] = []
        self.restored: list[int] = []

    def as_if(self, context_tokens: int) -> Lasting:
        self.settings = replace(self.settings, context_tokens=context_tokens)
        self.prompts, self.restored = [], []
        return self

    def generate(self, prompt: Any, *arguments: Any, **more: Any) -> Any:
        self.prompts.append(tuple(prompt))
        return super().generate(prompt, *arguments, **more)

    def restore_state(self, path: Path, closing: Closing | None = None) -> int:
        self.restored.append(super().restore_state(path, closing))
        return self.restored[-1]

    def close(self) -> None:
        """Not yet."""

    def end(self) -> None:
        super().close()


@dataclass(frozen=True)
class Step:
    """A context on the way: its tokens, the prompts it was asked, and how many tokens it had of a state."""

    context_tokens: int
    prompts: list[tuple[int, ...]]
    restored: list[int]


@dataclass
class Bench:
    """Two engines on each side of the original context of tiny-phi; an answer moves from one to the other."""

    folder: Path
    plan: LoadPlan
    ends: ExitStack
    running: dict[tuple[bool, int], Lasting] = field(default_factory=dict)

    def engine(self, number: int, context_tokens: int) -> Lasting:
        long = self.plan.context.has_long_factors(context_tokens)
        if (long, number) not in self.running:
            settings = replace(self.plan.settings_for(1024 if long else 256), slot_folder=self.folder)
            self.running[long, number] = Lasting(settings)
            self.ends.callback(self.running[long, number].end)
        return self.running[long, number].as_if(context_tokens)

    def ask(
        self, messages: list[Message], first: int, *, carries: bool = True, **sampling: Any
    ) -> tuple[Answer, list[Step]]:
        """The answer that begins with a context of ``first`` tokens, and its way."""
        steps: list[Step] = []

        def start(context_tokens: int) -> Engine:
            engine = self.engine(len(steps) % 2, context_tokens)
            steps.append(Step(context_tokens, engine.prompts, engine.restored))
            return engine

        context = replace(self.plan.context, first_tokens=first)
        carrier: StateCarrier | None = carrier_of(self.plan, self.folder) if carries else None
        file = model_file(self.plan, read_header(TINY_PHI))
        model = LocalModel(file, OneEngine(start, first, carrier), context)
        answer = whole(model.answer(messages, sampling=Sampling(**sampling)))
        assert not (self.folder / "state").exists()
        return answer, steps


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, starts_process: None) -> Iterator[Bench]:
    options = ChatOptions(engine={"threads": 1})
    plan = plan_load(locate("tiny-phi"), read_header(TINY_PHI), options, Use.ONE_ANSWER, memory=None, cores=1)
    with ExitStack() as ends:
        yield Bench(tmp_path_factory.mktemp("states"), plan, ends)


@pytest.mark.parametrize("name", ["unicode-2", "name-zoë", "long-answer-2", "dialogue-1", "dialogue-4"])
def test_growing_after_any_token_changes_nothing(bench: Bench, name: str) -> None:
    """On both sides of the original context, inside characters too: the ids are those that were generated."""
    reference, messages = REFERENCE[name], CONVERSATIONS[name]
    prompt, output = tuple(reference["prompt"]), tuple(reference["output"][:-1])
    every = 1 if len(output) < 60 else 9
    for cut in range(1, len(output), every):
        answer, (first, *others) = bench.ask(messages, len(prompt) + cut)
        assert f"{answer.text}<|end|>" == reference["text"]
        assert answer.finish_reason == "stop"
        assert answer.usage.completion_tokens == len(reference["output"])
        assert first.prompts == [prompt]
        for before, step in pairwise([first, *others]):
            (asked,) = step.prompts
            kept = len(asked) - len(prompt)
            assert 0 <= before.context_tokens - len(asked) < 3  # the beginning of a character is generated again
            assert asked == (*prompt, *output[:kept])
            assert step.restored == [before.context_tokens - 1]


def crossing() -> list[Message]:
    """A conversation whose last answer, a poem of 102 tokens, crosses the original context of 256."""
    return [*CONVERSATIONS["dialogue-1"][:24], Message("user", "Write a poem")]


@pytest.mark.parametrize("first", [256, 230])
def test_an_answer_that_crosses_the_original_context_has_the_tokens_of_the_reference(bench: Bench, first: int) -> None:
    """Before the border those of the short factors, behind it those of the long ones, as if they had been all along."""
    answer, steps = bench.ask(crossing(), first)
    assert answer.token_ids is not None
    prompt = steps[0].prompts[0]
    assert len(prompt) < 230 < 256 + 20 < len(prompt) + len(answer.token_ids)
    ids = (*prompt, *answer.token_ids)
    short, long = (TinyPhi(TINY_PHI, tokens).log_probabilities(ids).argmax(axis=1) for tokens in (256, 1024))
    expected = [*short[:255], *long[255:]]
    assert list(ids[len(prompt) :]) == expected[len(prompt) - 1 : -1]
    assert [(step.context_tokens, step.restored) for step in steps] == (
        [(256, []), (512, [])] if first == 256 else [(230, []), (256, [229]), (460, [])]
    )


def test_without_a_state_the_tokens_are_the_same(bench: Bench) -> None:
    reference = REFERENCE["long-answer-2"]
    answer, steps = bench.ask(CONVERSATIONS["long-answer-2"], 50, carries=False)
    assert answer.token_ids == tuple(reference["output"][:-1])
    assert [step.restored for step in steps] == [[], [], []]


def test_a_sampled_answer_is_repeatable_and_penalties_reach_back_across_the_growth(bench: Bench) -> None:
    """Each load begins with the seed anew, so a seed promises the same answer for the same contexts only."""
    sampled: dict[str, Any] = {"temperature": 2.0, "seed": 7, "repeat_penalty": 1.3, "max_tokens": 60}
    answers = [bench.ask(CONVERSATIONS["unicode-2"], 40, **sampled)[0].text for _ in range(2)]
    assert answers[0] == answers[1]
    greedy: dict[str, Any] = {"repeat_penalty": 1.3, "repeat_last_n": 200, "max_tokens": 100, "ignore_eos": True}
    penalized = [bench.ask(CONVERSATIONS["about-phi-2"], first, **greedy)[0].text for first in (256, 40)]
    assert penalized[0] == penalized[1]


def test_a_limit_of_tokens_holds_across_growth_inside_a_character(bench: Bench) -> None:
    whole_text = REFERENCE["unicode-2"]["text"]
    for first in range(20, 36):
        answer, _ = bench.ask(CONVERSATIONS["unicode-2"], first, max_tokens=40)
        assert (answer.finish_reason, answer.usage.completion_tokens) == ("length", 40)
        assert whole_text.startswith(answer.text)


def test_the_times_of_an_answer_are_those_of_its_prompt_and_its_tokens(bench: Bench) -> None:
    """Neither loading nor the token that is evaluated again after it counts as a prompt."""
    answer, steps = bench.ask(CONVERSATIONS["long-answer-2"], 50)
    assert len(steps) == 3
    assert answer.timings is not None
    prompt_tokens = answer.timings.prompt_tps * answer.timings.prompt_ms / 1000
    decoded = answer.timings.decode_tps * answer.timings.decode_ms / 1000
    assert prompt_tokens == pytest.approx(answer.usage.prompt_tokens - answer.usage.cached_tokens, rel=0.01)
    assert decoded == pytest.approx(answer.usage.completion_tokens - 1, rel=0.001)  # the engine counts intervals
    assert (answer.usage.prompt_tokens, answer.context_tokens) == (len(steps[0].prompts[0]), 200)


@pytest.mark.model
def test_a_model_without_long_rope_goes_on_as_if_nothing_had_happened(smollm2: Path, tmp_path: Path) -> None:
    header, options = read_header(smollm2), ChatOptions(engine={"threads": 2})
    plan = plan_load(locate(str(smollm2)), header, options, Use.ONE_ANSWER, memory=None, cores=2)
    messages = [Message("user", "Tell a story in which 日本 and a 🦊 with a 🎩 appear, and use 🦊🎩 often.")]
    answers = []
    for first in (1024, 101):
        running: list[Engine] = []

        def start(context_tokens: int, running: list[Engine] = running) -> Engine:
            settings = replace(plan.settings_for(context_tokens), slot_folder=tmp_path)
            running.append(LlamaServerEngine(settings))
            return running[-1]

        engines = OneEngine(start, first, carrier_of(plan, tmp_path))
        model = LocalModel(model_file(plan, header), engines, replace(plan.context, first_tokens=first))
        notices: list[Notice] = []
        answers.append(whole(model.answer(messages, sampling=Sampling(max_tokens=160)), on_notice=notices.append))
        model.close()
        assert notices == []
        assert len(running) == (1 if first == 1024 else 3)
    assert {(answer.text, answer.usage) for answer in answers} == {(answers[0].text, answers[0].usage)}


class Killed(LlamaServerEngine):
    """Somebody kills its process just before it does something with a state."""

    def save_state(self, path: Path, closing: Closing | None = None) -> tuple[int, ...]:
        os.kill(self.pid, signal.SIGKILL)
        return super().save_state(path, closing)

    def restore_state(self, path: Path, closing: Closing | None = None) -> int:
        os.kill(self.pid, signal.SIGKILL)
        return super().restore_state(path, closing)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
@pytest.mark.parametrize(("killed", "contexts"), [(0, [60, 120]), (1, [60, 120, 120])], ids=["saving", "restoring"])
def test_an_engine_that_is_killed_meanwhile_does_no_harm(
    bench: Bench, tmp_path: Path, killed: int, contexts: list[int]
) -> None:
    running: list[Engine] = []

    def start(context_tokens: int) -> Engine:
        kind = Killed if len(running) == killed else LlamaServerEngine
        running.append(kind(replace(bench.plan.settings_for(context_tokens), slot_folder=tmp_path)))
        return running[-1]

    plan, notices = bench.plan, list[Notice]()
    engines = OneEngine(start, 60, carrier_of(plan, tmp_path))
    model = LocalModel(model_file(plan, read_header(TINY_PHI)), engines, replace(plan.context, first_tokens=60))
    with closing(model):
        answering = model.answer(CONVERSATIONS["long-answer-2"], sampling=Sampling())
        answer = whole(answering, on_notice=notices.append)
    assert answer.token_ids == tuple(REFERENCE["long-answer-2"]["output"][:-1])
    assert [engine.context_tokens for engine in running] == contexts
    assert len(notices) == 1
    assert list(tmp_path.iterdir()) == []
