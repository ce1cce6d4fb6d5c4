"""Several conversations at a time with one engine: none of them sees anything of another."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from phicli.answering.encode import encode
from phicli.answering.model_file import bos_id_of, special_tokens_of
from phicli.bench.evaluation.asking import asked_of, reply_of
from phicli.bench.evaluation.items import read_items
from phicli.bench.evaluation.preparing import EvalOptions, prepare
from phicli.bench.evaluation.types import Item
from phicli.bench.measuring.room import PlannedLoad, needed
from phicli.bench.measuring.surroundings import look_around
from phicli.bench.subjects import subjects
from phicli.chat_format import format_by_name
from phicli.chat_format.types import Message
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.settings import EngineSettings
from phicli.engine.types import Chunk, Done, GenerationEvent, LoadSettings, Sampling
from phicli.errors import DoesNotFitError
from phicli.fit.shape import shape_of
from phicli.gguf_file.header import read_header
from phicli.hardware.available import Memory
from phicli.jobs.notices import Notices
from tests.support.files import TINY_PHI

LONG = ("Count to forty", "Write a poem", "List the planets", "Write a Python function that adds two numbers")


@pytest.fixture(scope="module")
def engine(starts_process: None) -> Iterator[LlamaServerEngine]:
    engine = LlamaServerEngine(LoadSettings(TINY_PHI, 256, EngineSettings(threads=2), slots=4))
    engine.wait_ready()
    yield engine
    engine.close()


def prompt_of(text: str, engine: LlamaServerEngine) -> tuple[int, ...]:
    header = read_header(TINY_PHI)
    segments = format_by_name("phi-4-mini", reasoning=True).render([Message("user", text)])
    return encode(segments, engine, special_tokens_of(header), bos_id=bos_id_of(header))


def answer_of(events: list[GenerationEvent]) -> tuple[str, tuple[int, ...] | None]:
    (done,) = (event for event in events if isinstance(event, Done))
    return "".join(event.text for event in events if isinstance(event, Chunk)), done.token_ids


def side_by_side(
    engine: LlamaServerEngine, prompts: list[tuple[int, ...]], sampling: Sampling
) -> list[tuple[int, GenerationEvent]]:
    """The events of all answers in the order in which they came, each with the place of its prompt."""
    seen: list[tuple[int, GenerationEvent]] = []
    ready = threading.Barrier(len(prompts))

    def stream(place: int) -> None:
        ready.wait(30)
        for event in engine.generate(prompts[place], sampling):
            seen.append((place, event))  # noqa: PERF401 (several threads add to it)

    threads = [threading.Thread(target=stream, args=(place,)) for place in range(len(prompts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return seen


def all_began_before_one_ended(seen: list[tuple[int, GenerationEvent]], streams: int) -> bool:
    first_chunks = [
        next(index for index, (where, event) in enumerate(seen) if where == place and isinstance(event, Chunk))
        for place in range(streams)
    ]
    return max(first_chunks) < [type(event) for _, event in seen].index(Done)


def test_streams_that_run_at_once_have_the_texts_and_ids_of_streams_that_run_alone(engine: LlamaServerEngine) -> None:
    prompts = [prompt_of(text, engine) for text in LONG]
    sampling = Sampling(temperature=0.0, max_tokens=180)
    alone = [answer_of(list(engine.generate(prompt, sampling))) for prompt in prompts]
    assert len({text for text, _ in alone}) == len(LONG)
    overlaps = []
    for _ in range(10):  # a busy machine may let one thread wait until another stream is over
        seen = side_by_side(engine, prompts, sampling)
        together = [answer_of([event for where, event in seen if where == place]) for place in range(len(prompts))]
        assert together == alone
        overlaps.append(all_began_before_one_ended(seen, len(prompts)))
        if overlaps[-1]:
            break
    assert any(overlaps), "in no round did every stream begin before the first one ended"


def items(*questions: str, system: str | None = None) -> tuple[Item, ...]:
    lines = [
        json.dumps({"question": question, "compare": "exact", "answer": "x", **({"system": system} if system else {})})
        for question in questions
    ]
    return read_items("\n".join(lines).encode(), "test")


@pytest.mark.process
def test_questions_are_asked_as_phi_chat_asks_them() -> None:
    """The reasoning is split off, a system message counts, and what outgrows the context is asked in a larger one."""
    long = "Report of the lighthouse keeper\n" * 60 + "What is the capital of France?"
    asked = (*items("What is the capital of France?", long), *items("Hello", system="You are a pirate.")[:1])
    (subject,) = subjects(["tiny-phi"])
    prepared = prepare(subject, asked, EvalOptions("arithmetic"), look_around())
    assert (prepared.job.load.context.first_tokens, prepared.slots) == (256, 3)
    told: list[str] = []
    with prepared.opened(Notices(told.append)) as worker:
        france, grown, pirate = (reply_of(item, worker.ask(asked_of(item, "tiny-phi", {}))) for item in asked)
    assert any("no longer fits into 256 tokens" in notice for notice in told)
    assert (france.text, france.finish_reason) == ("The capital of France is Paris.", "stop")
    assert grown.prompt_tokens > 256
    assert grown.finish_reason != "context"
    assert pirate.text
    assert pirate.text != france.text


@pytest.mark.process
def test_a_question_beyond_the_largest_context_is_an_answer_of_its_own_kind() -> None:
    asked = items("word " * 3000)
    (subject,) = subjects(["tiny-phi"])
    prepared = prepare(subject, asked, EvalOptions("arithmetic"), look_around())
    with prepared.opened(Notices(lambda _: None)) as worker:
        reply = reply_of(asked[0], worker.ask(asked_of(asked[0], "tiny-phi", {})))
    assert (reply.finish_reason, reply.text, reply.completion_tokens) == ("context", "", 0)
    assert reply.failed
    assert reply.prompt_tokens > 1024
    assert "the context has only 1024" in reply.error


@pytest.mark.parametrize("wanted", [1, 2, 3, 4])
def test_as_many_at_a_time_as_fit_into_memory(wanted: int) -> None:
    """A small machine keeps half of its memory free; one byte less is a slot less, and in the end exit code 5."""
    around = look_around()
    (subject,) = subjects(["tiny-phi"])
    shape, settings = shape_of(read_header(TINY_PHI)), EngineSettings(threads=around.cpu.physical_cores)
    bytes_needed = needed(PlannedLoad(subject, settings, shape, 256 * wanted)).resident_bytes
    exact = replace(around, memory=Memory(2 * bytes_needed, 2 * bytes_needed, "the test"), gpus=())
    less = replace(around, memory=Memory(2 * bytes_needed, 2 * bytes_needed - 2, "the test"), gpus=())
    asked = items(*(f"question {number}" for number in range(9)))
    assert prepare(subject, asked, EvalOptions("arithmetic"), exact).slots == wanted
    if wanted == 1:
        with pytest.raises(DoesNotFitError):
            prepare(subject, asked, EvalOptions("arithmetic"), less)
        told: list[DoesNotFitError] = []
        unchecked = prepare(subject, asked, EvalOptions("arithmetic"), less, on_too_large=told.append)
        assert (unchecked.slots, unchecked.settings.repack, len(told)) == (1, False, 1)
    else:
        assert prepare(subject, asked, EvalOptions("arithmetic"), less).slots == wanted - 1
    assert prepare(subject, asked[:1], EvalOptions("arithmetic"), exact).slots == 1
