"""The load on an endpoint: how it is asked, how many at a time, and what comes of it."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable

import pytest

from phicli.bench.endpoint.asking import Limits, Manner, Opening, open_endpoint
from phicli.bench.endpoint.loading import run_level
from phicli.bench.endpoint.run import EndpointBench, warnings_of
from phicli.bench.endpoint.types import EndpointReport, Failure, Level, LoadLevel, Response
from phicli.engine.endpoint.address import read_address
from phicli.engine.endpoint.client import EndpointClient
from phicli.engine.endpoint.failures import EndpointError
from phicli.errors import NetworkError
from tests.support.endpoint import Behaviour, Endpoint

LIMITS = Limits(5.0, 30.0)
SHORT = Limits(1.0, 10.0)
Behave = Callable[[int], Behaviour]


def level_of(behave: Behave, load: LoadLevel, limits: Limits = LIMITS) -> tuple[Level, Endpoint]:
    with Endpoint(behave) as endpoint, EndpointClient(read_address(endpoint.url, {}), connections=64) as client:
        return run_level(client, Manner("m"), load, limits, random.Random(1), lambda _: None), endpoint


def always(**more: object) -> Behave:
    return lambda _: Behaviour(**more)  # type: ignore[arg-type]


def opened(behave: Behave, prompt_tokens: int = 64) -> tuple[Opening, Endpoint]:
    with Endpoint(behave) as endpoint, EndpointClient(read_address(endpoint.url, {})) as client:
        return open_endpoint(client, Manner("m"), prompt_tokens, 4, LIMITS, random.Random(1), lambda _: None), endpoint


class Watch:
    def __init__(self) -> None:
        self.said: list[str] = []
        self.left: list[float] = []

    def show(self, text: str, left_s: float | None = None) -> None:
        if left_s is not None:
            self.left.append(left_s)

    def say(self, text: str) -> None:
        self.said.append(text)


def bench(endpoint: Endpoint, *loads: LoadLevel, model: str = "", silence_s: float = 5.0) -> EndpointBench:
    report = EndpointReport("id", "now", endpoint.url, model, "", {}, {})
    client = EndpointClient(read_address(endpoint.url, {}), connections=64)
    return EndpointBench(client, report, loads, silence_s, random.Random(1), Watch())


def test_an_answer_is_timed_by_its_pieces() -> None:
    one = Response((100.0, 110.0, 120.0, 140.0), 150.0, told_tokens=8, prompt_tokens=9)
    assert one.ttft_ms == 100
    assert one.gaps_ms == (10, 10, 20)
    assert one.decode_tps == pytest.approx(1000 * 8 * 3 / 4 / 40)
    assert one.total_tps == pytest.approx(8 / 0.15)


def test_pieces_are_counted_where_nobody_tells() -> None:
    one = Response((100.0, 150.0), 200.0, told_tokens=None, prompt_tokens=None)
    assert one.tokens == 2
    assert one.decode_tps == pytest.approx(20)
    assert not Level(LoadLevel(1, 2, 1, 1), (one,), (), 1.0, 0.0).tokens_told


def test_an_answer_that_comes_at_once_has_no_speed() -> None:
    assert Response((100.0, 100.0), 100.0, 9, None).decode_tps is None
    assert Response((100.0,), 100.0, 9, None).decode_tps is None


def test_a_level_adds_up() -> None:
    answers = (Response((10.0, 20.0), 1000.0, 10, 5), Response((30.0, 40.0), 3000.0, 20, 5))
    data = Level(LoadLevel(5, 20, 2, 3), answers, (Failure("cut", "it stopped"),), 3.0, 0.1).to_data()
    assert data["throughput_tps"] == pytest.approx(10)
    assert data["requests_per_s"] == pytest.approx(2 / 3)
    assert data["in_flight"] == pytest.approx(4 / 3)
    assert data["ttft_ms"] == {"p50": 20, "p95": pytest.approx(29)}
    assert data["failed"] == {"cut": 1}
    assert data["mean_generated_tokens"] == 15


@pytest.mark.parametrize(("at_a_time", "requests"), [(1, 3), (4, 9), (8, 2)])
def test_so_many_requests_so_many_at_a_time(at_a_time: int, requests: int) -> None:
    together = threading.Barrier(most := min(at_a_time, requests))

    def behave(number: int) -> Behaviour:
        if number < most:
            together.wait(60)  # none of the first is answered before all of them have come
        return Behaviour(pause_s=0.02)

    level, endpoint = level_of(behave, LoadLevel(32, 4, at_a_time, requests), Limits(60.0, 120.0))
    assert len(level.answers) == len(endpoint.chats) == requests
    assert endpoint.most_at_once == most
    assert level.stopped == ""


def test_no_two_prompts_begin_alike() -> None:
    _, endpoint = level_of(always(), LoadLevel(64, 4, 2, 8))
    texts = [one.body["messages"][0]["content"] for one in endpoint.chats]
    assert len({text[:9] for text in texts}) == 8
    assert len({len(text.split()) for text in texts}) == 1


def test_failures_are_counted_and_the_rest_goes_on() -> None:
    bad = {1: Behaviour(status=429), 3: Behaviour(cut_after=2), 5: Behaviour(raw=b"?\n"), 6: Behaviour(pieces=())}
    level, _ = level_of(lambda number: bad.get(number, Behaviour()), LoadLevel(32, 4, 1, 9))
    assert len(level.answers) == 5
    assert level.failed == {"limited": 1, "cut": 1, "garbage": 1, "empty": 1}
    assert level.stopped == ""
    assert warnings_of(level)[0].startswith("concurrency 1: 4 of 9 failed (1 exceeded the rate limit")


def test_it_gives_up_after_failures_in_a_row() -> None:
    level, endpoint = level_of(always(status=503), LoadLevel(32, 4, 2, 50))
    assert "503" in level.stopped
    assert 3 <= len(endpoint.chats) <= 4  # the third failure ends it; the other thread may have begun one more
    assert level.answers == ()


def test_a_refused_key_ends_it_at_once() -> None:
    level, endpoint = level_of(lambda number: Behaviour(status=401 if number else 200), LoadLevel(32, 4, 1, 50))
    assert "401" in level.stopped
    assert len(endpoint.chats) == 2
    assert len(level.answers) == 1


def test_an_endpoint_that_hangs_is_given_up() -> None:
    level, _ = level_of(lambda number: Behaviour(hangs_after=2 if number else None), LoadLevel(32, 4, 1, 50), SHORT)
    assert "sent nothing" in level.stopped
    assert level.failed == {"silent": 3}
    assert len(level.answers) == 1


def test_a_server_that_drips_its_headers_is_given_up_from_outside() -> None:
    """No single read takes long, so nothing but a look from outside ends it."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                while not stop.wait(0.05):
                    connection.sendall(b"x")

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        address = read_address(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", {})
        with EndpointClient(address) as client:
            limits = Limits(0.3, 0.5, grace_s=0.2)
            level = run_level(client, Manner("m"), LoadLevel(8, 4, 1, 2), limits, random.Random(1), lambda _: None)
        stop.set()
        thread.join(5)
    assert level.failed == {"silent": 1}
    assert level.stopped


@pytest.mark.parametrize(
    ("refuses", "named", "left", "limit"),
    [
        (("ignore_eos",), True, ("stream_options", "temperature"), "max_tokens"),
        (("temperature", "ignore_eos"), True, ("stream_options",), "max_tokens"),
        (("stream_options",), False, ("temperature",), "max_tokens"),
        ((), True, ("ignore_eos", "stream_options", "temperature"), "max_tokens"),
    ],
)
def test_it_finds_out_what_an_endpoint_accepts(
    refuses: tuple[str, ...], named: bool, left: tuple[str, ...], limit: str
) -> None:
    opening, endpoint = opened(always(refuses=refuses, names_refused=named))
    assert opening.manner.extras == left
    assert opening.manner.limit == limit
    assert set(left) <= set(endpoint.chats[-1].body)


def test_the_new_name_of_the_limit_is_learnt() -> None:
    said = b'{"error": {"message": "Unsupported: max_tokens. Use max_completion_tokens instead."}}'
    opening, endpoint = opened(lambda number: Behaviour(status=200 if number else 400, body=said))
    assert opening.manner.limit == "max_completion_tokens"
    assert endpoint.chats[-1].body["max_completion_tokens"] == 4
    assert "max_tokens" not in endpoint.chats[-1].body


def test_a_rejection_of_something_else_is_told() -> None:
    with pytest.raises(EndpointError, match="so it is"):
        opened(always(status=400))


def test_prompts_become_as_long_as_asked_for() -> None:
    """An endpoint with 1.5 tokens a word and 12 of its own."""
    manner = Manner("m", fixed_tokens=12, tokens_per_word=1.5)
    assert manner.words(512) == round(500 / 1.5)
    assert manner.words(0) == 0


def test_the_length_of_a_word_is_measured() -> None:
    usages = [{"prompt_tokens": 12 + 24, "completion_tokens": 1}, {"prompt_tokens": 12 + 738, "completion_tokens": 4}]
    opening, _ = opened(lambda number: Behaviour(usage=usages[number]), 512)
    assert opening.manner.tokens_per_word == pytest.approx(1.5)
    assert opening.manner.fixed_tokens == pytest.approx(12)


def test_a_vocabulary_of_short_pieces_does_not_exceed_the_context_at_once() -> None:
    """The first prompt, of 16 words, had three times the usual number of tokens."""
    usages = [{"prompt_tokens": 120, "completion_tokens": 1}, {"prompt_tokens": 520, "completion_tokens": 4}]
    opening, endpoint = opened(lambda number: Behaviour(usage=usages[number]), 512)
    first, second = (len(one.body["messages"][0]["content"].split()) - 10 for one in endpoint.chats)
    assert (first, second) == (16, round(492 / 3))
    assert opening.manner.tokens_per_word == pytest.approx(400 / (second - first))


def test_the_first_model_that_can_chat_is_taken() -> None:
    with Endpoint() as endpoint:
        endpoint.models = {"data": [{"id": "text-embedding-nomic-embed-text-v1.5"}, {"id": "phi-4-mini"}, {"id": "z"}]}
        one = bench(endpoint, LoadLevel(32, 4, 1, 1))
        one.run()
        assert one.report.model == "phi-4-mini"
        assert one.watch.said == ["measuring phi-4-mini, one of the endpoint's 3 models"]  # type: ignore[attr-defined]
        endpoint.models = {"data": [{"id": "nomic-embed-text"}]}
        assert bench(endpoint, LoadLevel(32, 4, 1, 1))._first_model() == "nomic-embed-text"


def test_a_whole_benchmark() -> None:
    with Endpoint() as endpoint:
        one = bench(endpoint, LoadLevel(32, 4, 1, 3), LoadLevel(32, 4, 2, 4))
        one.run()
    report = one.report
    assert report.complete
    assert report.model == "first-model"
    assert report.server == "loopback-endpoint"
    assert [len(level.answers) for level in report.levels] == [3, 4]
    assert one.watch.said == ["measuring first-model, the first of the endpoint's 2 models"]  # type: ignore[attr-defined]
    left = one.watch.left  # type: ignore[attr-defined]
    assert left[-1] == 0
    assert left[0] > 0


def test_what_was_measured_before_a_failure_is_kept() -> None:
    with Endpoint(lambda number: Behaviour(status=200 if number < 5 else 500)) as endpoint:
        one = bench(endpoint, LoadLevel(32, 4, 1, 3), LoadLevel(32, 4, 2, 9), model="m")
        with pytest.raises(NetworkError, match=r"500.*at concurrency 2, [34] of 9 failed"):
            one.run()
    assert [len(level.answers) for level in one.report.levels] == [3, 0]
    assert not one.report.complete


def test_a_hang_at_the_beginning_is_told_soon() -> None:
    with Endpoint(always(hangs_after=0)) as endpoint:
        one = bench(endpoint, LoadLevel(32, 4, 1, 3), model="m", silence_s=0.3)
        with pytest.raises(NetworkError, match="sent nothing for 0 s"):
            one.run()
    assert len(endpoint.chats) == 1


def test_an_endpoint_without_models() -> None:
    with Endpoint() as endpoint:
        endpoint.models = {"data": []}
        with pytest.raises(NetworkError, match="has no models") as refused:
            bench(endpoint, LoadLevel(32, 4, 1, 3)).run()
    assert refused.value.hint.endswith(f"phi bench {endpoint.url} MODEL")


def test_warnings_say_what_the_numbers_hide() -> None:
    short = Response((1.0, 2.0), 3.0, None, None)
    found = warnings_of(Level(LoadLevel(32, 64, 1, 1), (short,), (), 1.0, 0.8))
    assert any("phi itself used 80%" in one for one in found)
    assert any("chunks of text are counted" in one for one in found)
    assert any("1 of 1 answers ended before half" in one for one in found)
    assert warnings_of(Level(LoadLevel(32, 2, 1, 1), (Response((1.0,), 2.0, 2, 3),), (), 1.0, 0.1)) == ()
