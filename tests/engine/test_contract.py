"""What every engine promises; each test runs on the scripted fake and on the real one."""

from __future__ import annotations

import sys
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import pytest

from phicli.engine.closable import Closable, Closing
from phicli.engine.ctransformers_engine import CtransformersEngine
from phicli.engine.types import Chunk, Done, Engine, GenerationEvent, Prefill, Sampling
from phicli.errors import ContextExceededError, EngineError
from tests.engine.conftest import QUESTION, standing_still
from tests.support.waiting import wait_until_it_waits

GREEDY = Sampling(temperature=0.0)


def run(engine: Engine, prompt: tuple[int, ...], sampling: Sampling = GREEDY, **more: object) -> tuple[str, Done]:
    events = list(engine.generate(prompt, sampling, **more))  # type: ignore[arg-type]
    assert isinstance(events[-1], Done)
    assert not any(isinstance(event, Done) for event in events[:-1])
    return "".join(event.text for event in events if isinstance(event, Chunk)), events[-1]


def test_it_says_what_it_was_loaded_with(engine: Engine) -> None:
    assert engine.context_tokens == 256
    engine.tokenize("x", parse_special=False)
    assert engine.load_ms > 0


def test_specials_are_parsed_only_when_asked(engine: Engine) -> None:
    parsed = engine.tokenize("<|user|>", parse_special=True)
    as_text = engine.tokenize("<|user|>", parse_special=False)
    assert len(parsed) == 1
    assert parsed[0] not in as_text


def test_no_text_has_no_tokens(engine: Engine) -> None:
    assert engine.tokenize("", parse_special=False) == ()


def test_an_answer_comes_whole_and_ends_with_done(engine: Engine) -> None:
    prompt = engine.tokenize(QUESTION, parse_special=True)
    text, done = run(engine, prompt)
    assert text == "The capital of France is Paris."
    assert done.finish_reason == "stop"
    assert done.usage.prompt_tokens == len(prompt)
    assert done.timings.decode_tps > 0
    assert done.token_ids == engine.tokenize(text, parse_special=False)


def test_the_last_id_is_that_of_the_answer_where_it_is_known(engine: Engine) -> None:
    prompt = engine.tokenize(QUESTION, parse_special=True)
    _, done = run(engine, prompt, Sampling(max_tokens=3))
    assert done.token_ids is not None
    assert done.last_id in (done.token_ids[-1], None)


def test_the_answer_streams_in_more_than_one_chunk(engine: Engine) -> None:
    events = list(engine.generate(engine.tokenize(QUESTION, parse_special=True), GREEDY))
    assert sum(isinstance(event, Chunk) for event in events) > 1


def test_prefill_is_told_and_the_cache_is_counted(engine: Engine) -> None:
    prompt = engine.tokenize(QUESTION, parse_special=True)
    run(engine, prompt)
    events = list(engine.generate(prompt, GREEDY))
    progress = [event for event in events if isinstance(event, Prefill)]
    assert progress
    assert progress[0].cached == len(prompt) - 1
    assert progress[-1].total == len(prompt)
    assert isinstance(events[-1], Done)
    assert events[-1].usage.cached_tokens == len(prompt) - 1


def test_a_continued_conversation_evaluates_only_what_is_new(engine: Engine) -> None:
    prompt = engine.tokenize(QUESTION, parse_special=True)
    _, done = run(engine, prompt)
    assert done.token_ids is not None
    follow_up = engine.tokenize("<|end|><|user|>Thank you.<|end|><|assistant|>", parse_special=True)
    _, second = run(engine, (*prompt, *done.token_ids, *follow_up))
    assert second.usage.cached_tokens == len(prompt) + len(done.token_ids)


def test_max_tokens_cuts_with_length(engine: Engine) -> None:
    text, done = run(engine, engine.tokenize(QUESTION, parse_special=True), Sampling(max_tokens=2))
    assert done.finish_reason == "length"
    assert done.usage.completion_tokens == 2
    assert "The capital of France is Paris.".startswith(text)


def test_a_stop_id_ends_without_its_text(engine: Engine) -> None:
    prompt = engine.tokenize(QUESTION, parse_special=True)
    _, whole = run(engine, prompt)
    assert whole.token_ids is not None
    last = whole.token_ids[-1]
    text, done = run(engine, prompt, stop_ids=frozenset({last}))
    assert done.finish_reason == "stop"
    assert done.token_ids == whole.token_ids[: whole.token_ids.index(last)]
    assert not text.endswith(".")


def test_the_stop_id_that_ended_it_is_named(engine: Engine) -> None:
    prompt = engine.tokenize(QUESTION, parse_special=True)
    _, whole = run(engine, prompt)
    assert whole.stop_id is None
    assert whole.token_ids is not None
    last = whole.token_ids[-1]
    assert run(engine, prompt, stop_ids=frozenset({last, 5}))[1].stop_id == last


def test_the_caller_ends_it_after_a_chunk(engine: Engine) -> None:
    prompt, seen = engine.tokenize(QUESTION, parse_special=True), list[GenerationEvent]()

    def text() -> str:
        return "".join(event.text for event in seen if isinstance(event, Chunk))

    for event in engine.generate(prompt, GREEDY, until=lambda: "France" in text()):
        seen.append(event)
    assert text() == "The capital of France"
    done = seen[-1]
    assert isinstance(done, Done)
    assert (done.finish_reason, done.stop_id) == ("stop", None)
    assert done.token_ids == engine.tokenize(text(), parse_special=False)
    assert done.usage.completion_tokens == len(done.token_ids)
    assert run(engine, prompt)[0] == "The capital of France is Paris."


def test_chunks_know_the_ids_they_came_from(engine: Engine) -> None:
    *events, done = engine.generate(engine.tokenize(QUESTION, parse_special=True), GREEDY)
    assert isinstance(done, Done)
    chunks = [event for event in events if isinstance(event, Chunk) and event.text]
    assert tuple(token for chunk in chunks for token in chunk.token_ids or ()) == done.token_ids
    assert sum(chunk.tokens for chunk in chunks) == len(done.token_ids or ())


def test_closing_the_iterator_stops_and_leaves_it_usable(engine: Engine) -> None:
    prompt = engine.tokenize(QUESTION, parse_special=True)
    events = engine.generate(prompt, GREEDY)
    for event in events:
        if isinstance(event, Chunk):
            break
    events.close()
    assert run(engine, prompt)[0] == "The capital of France is Paris."


@pytest.mark.skipif(sys.platform == "win32", reason="stops the engine's process")
def test_another_thread_closes_it_while_one_waits_for_the_next_event(engine: Engine) -> None:
    prompt = engine.tokenize(QUESTION, parse_special=True)
    generation = engine.generate(prompt, GREEDY)
    seen: list[object] = []
    with standing_still(engine):
        waiting = threading.Thread(target=lambda: seen.extend(generation))
        waiting.start()
        wait_until_it_waits(waiting)
        generation.close()
        waiting.join(30)
        assert not waiting.is_alive()
    assert not any(isinstance(event, Done) for event in seen)
    assert list(generation) == []
    assert run(engine, prompt)[0] == "The capital of France is Paris."


def test_closing_before_the_first_event_and_twice_asks_nothing(engine: Engine) -> None:
    prompt = engine.tokenize(QUESTION, parse_special=True)
    generation = engine.generate(prompt, GREEDY)
    generation.close()
    generation.close()
    assert list(generation) == []
    assert run(engine, prompt)[0] == "The capital of France is Paris."


@pytest.mark.skipif(sys.platform == "win32", reason="stops the engine's process")
def test_another_thread_closes_it_while_the_model_loads(loading_engine: Engine) -> None:
    generation = loading_engine.generate((1, 2, 3), GREEDY)
    with standing_still(loading_engine):
        waiting = threading.Thread(target=list, args=(generation,))
        waiting.start()
        wait_until_it_waits(waiting)
        generation.close()
        waiting.join(30)
        assert not waiting.is_alive()
    loading_engine.wait_ready()
    assert run(loading_engine, loading_engine.tokenize(QUESTION, parse_special=True))[0].startswith("The capital")


@pytest.mark.skipif(sys.platform == "win32", reason="stops the engine's process")
def test_another_thread_ends_the_wait_for_token_ids(engine: Engine) -> None:
    def ids(closing: Closing) -> Generator[tuple[int, ...], None, None]:
        yield engine.tokenize("x", parse_special=False, closing=closing)

    if isinstance(engine, CtransformersEngine):
        pytest.skip("it tokenizes without its process")
    engine.wait_ready()
    waited_for = Closable(ids)
    with standing_still(engine):
        waiting = threading.Thread(target=list, args=(waited_for,))
        waiting.start()
        wait_until_it_waits(waiting)
        waited_for.close()
        waiting.join(30)
        assert not waiting.is_alive()
    assert engine.tokenize("x", parse_special=False)


@pytest.mark.skipif(sys.platform == "win32", reason="stops the engine's process")
def test_several_threads_wait_until_it_is_loaded(loading_engine: Engine) -> None:
    with ThreadPoolExecutor(4) as pool:
        with standing_still(loading_engine):
            waiting = [pool.submit(loading_engine.tokenize, "x", parse_special=False) for _ in range(4)]
        assert len({one.result(30) for one in waiting}) == 1


def test_a_prompt_as_long_as_the_context_is_refused(engine: Engine) -> None:
    token = engine.tokenize("a", parse_special=False)[:1]
    with pytest.raises(ContextExceededError, match="256"):
        list(engine.generate(token * 256, GREEDY))


def test_the_context_is_used_to_its_end(engine: Engine) -> None:
    token = engine.tokenize("a", parse_special=False)[:1]
    events = list(engine.generate(token * 255, GREEDY))
    done = events[-1]
    assert isinstance(done, Done)
    assert done.usage.prompt_tokens + done.usage.completion_tokens <= 256


def test_an_empty_prompt_is_refused(engine: Engine) -> None:
    with pytest.raises(EngineError):
        list(engine.generate((), GREEDY))


def test_a_context_that_is_no_round_number_is_kept_to(odd_engine: Engine) -> None:
    token = odd_engine.tokenize("a", parse_special=False)[:1]
    done = list(odd_engine.generate(token * 90, Sampling(temperature=1.0, seed=1)))[-1]
    assert isinstance(done, Done)
    assert done.usage.prompt_tokens + done.usage.completion_tokens <= 100
    with pytest.raises(ContextExceededError):
        list(odd_engine.generate(token * 100, GREEDY))


def test_closing_twice_is_fine(odd_engine: Engine) -> None:
    odd_engine.close()
    odd_engine.close()
