"""Requests of a job that are answered by remotes: those that die, hang, refuse, and send half a stream."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from phicli.answering.asked import Asked
from phicli.answering.types import Notice
from phicli.chat_format.types import Message
from phicli.engine.endpoint.failures import EndpointError
from phicli.errors import CheckFailedError, PhiError, UsageError
from phicli.jobs.running import Done, WorkerGoneError, run
from phicli.jobs.workers import Outcome, RemoteWorker
from phicli.remotes.asking import RemoteAsking
from phicli.structured.form import SchemaForm
from tests.support.endpoint import Behaviour, Endpoint
from tests.support.remotes import remote_model
from tests.support.waiting import wait_until

GOOD = Behaviour(pieces=("It", " is", " sunny."))
BROKEN = Behaviour(status=500, body=b'{"error": {"message": "out of memory"}}')


def asked(number: int, **more: Any) -> Asked:
    return Asked("lab/phi-4", (Message("user", f"question {number}"),), **more)


@contextlib.contextmanager
def worker_of(endpoint: Endpoint, name: str = "lab/phi-4", slots: int = 2, **more: Any) -> Iterator[RemoteWorker]:
    with remote_model(endpoint.url, connections=slots, **more) as model:
        yield RemoteWorker(name, RemoteAsking(model), slots, pause_s=0.0)


def answers(count: int, *workers: RemoteWorker, on_gone: Callable[[str, PhiError], None] = lambda *_: None) -> Any:
    done: dict[int, Done[Asked, Outcome]] = {}

    def note(one: Done[Asked, Outcome]) -> None:
        assert one.number not in done
        done[one.number] = one

    run(((number, asked(number)) for number in range(count)), workers, note, on_gone=on_gone)
    assert sorted(done) == list(range(count))
    return done


def by_question(behave: Callable[[str, int], Behaviour]) -> Endpoint:
    """An endpoint whose behaviour is by the question, and by how often it came before."""
    seen: dict[str, int] = {}

    def behaviour(number: int) -> Behaviour:
        question = endpoint.current.body["messages"][-1]["content"]
        seen[question] = seen.get(question, -1) + 1
        return behave(question, seen[question])

    endpoint = Endpoint(behaviour)
    return endpoint


def test_every_request_is_answered_once() -> None:
    with Endpoint(lambda _: GOOD) as endpoint, worker_of(endpoint, slots=8) as worker:
        done = answers(40, worker)
        assert {one.result.answer.text for one in done.values()} == {"It is sunny."}
        asked_for = [one.body["messages"][-1]["content"] for one in endpoint.chats]
    assert sorted(asked_for) == sorted(f"question {number}" for number in range(40))


@pytest.mark.parametrize("trouble", [BROKEN, Behaviour(cut_after=1), Behaviour(raw=b"<html>portal</html>")])
def test_a_request_that_fails_once_is_asked_again(trouble: Behaviour) -> None:
    with (
        by_question(lambda question, before: trouble if question == "question 3" and not before else GOOD) as endpoint,
        worker_of(endpoint, slots=1) as worker,
    ):
        done = answers(6, worker)
        assert {one.result.answer.text for one in done.values()} == {"It is sunny."}
        assert len(endpoint.chats) == 7


def test_a_request_at_which_the_remote_fails_again_and_again_fails_alone() -> None:
    """The others are answered meanwhile, by the same remote."""
    others = threading.Event()

    def behave(question: str, before: int) -> Behaviour:
        if question != "question 0":
            others.set()
            return GOOD
        return BROKEN

    with by_question(behave) as endpoint, worker_of(endpoint, slots=4) as worker:
        worker._pause_s = 0.05
        done = answers(30, worker)
        asked_for = [one.body["messages"][-1]["content"] for one in endpoint.chats]
    assert others.is_set()
    assert isinstance(done[0].result.error, EndpointError)
    assert "out of memory" in done[0].result.error.message
    assert done[0].result.answer is None
    assert asked_for.count("question 0") == 4
    assert all(done[number].result.error is None for number in range(1, 30))


@pytest.mark.parametrize("slots", [1, 4])
def test_a_request_at_which_everything_fails_is_found_where_nothing_else_is_under_way(slots: int) -> None:
    """The remote is asked a short question, which it answers."""
    with (
        by_question(lambda question, _: BROKEN if question == "question 0" else GOOD) as endpoint,
        worker_of(endpoint, slots=slots) as worker,
    ):
        done = answers(1, worker)
        asked_for = [one.body["messages"][-1]["content"] for one in endpoint.chats]
    assert isinstance(done[0].result.error, EndpointError)
    assert asked_for == [*["question 0"] * 3, "Hello", "question 0", "Hello"]


def test_requests_that_were_under_way_when_a_remote_died_do_not_fail() -> None:
    """Others were answered before; it is the remote that has failed, and another one answers them."""
    broken = threading.Event()

    def behave(question: str, _: int) -> Behaviour:
        if question == "question 7":
            broken.set()
        return BROKEN if broken.is_set() else GOOD

    with (
        by_question(behave) as dying,
        Endpoint(lambda _: (broken.wait(30) and GOOD) or GOOD) as good,
        worker_of(dying, "dying/phi-4", slots=4) as first,
        worker_of(good, "good/phi-4", slots=1) as second,
    ):
        done = answers(40, first, second)
    assert {one.result.error for one in done.values()} == {None}


def test_a_remote_that_sometimes_refuses_connections_is_not_left_out() -> None:
    """While one request cannot connect, others are answered."""
    refuses = EndpointError("unreachable", "cannot be reached: connection refused")

    with Endpoint(lambda _: GOOD) as endpoint, worker_of(endpoint, slots=2) as worker:
        usual, failed = worker._asking.model.client.chat, list[str]()

        def chat(fields: Any, **more: Any) -> Any:
            if fields["messages"][-1]["content"] == "question 3" and len(failed) < 4:
                failed.append("3")
                wait_until(lambda: len(endpoint.chats) >= 5 + 3 * len(failed))
                raise refuses
            return usual(fields, **more)

        worker._asking.model.client.chat = chat  # type: ignore[method-assign]
        done = answers(30, worker)
    assert len(failed) == 4
    assert {one.result.error for one in done.values()} == {None}


def test_a_request_that_is_refused_fails_alone_and_is_not_asked_again() -> None:
    refusal = Behaviour(status=400, body=b'{"error": {"message": "content filtered"}}')
    with (
        by_question(lambda question, _: refusal if question == "question 2" else GOOD) as endpoint,
        worker_of(endpoint) as worker,
    ):
        done = answers(8, worker)
        asked_for = [one.body["messages"][-1]["content"] for one in endpoint.chats]
    assert "content filtered" in done[2].result.error.message
    assert asked_for.count("question 2") == 1
    assert [number for number, one in done.items() if one.result.error] == [2]


def test_a_remote_that_refuses_everything_is_left_out() -> None:
    refusal = Behaviour(status=400, body=b'{"error": {"message": "no such adapter"}}')
    with (
        Endpoint(lambda _: refusal) as endpoint,
        worker_of(endpoint) as worker,
        pytest.raises(EndpointError, match="no such adapter"),
    ):
        answers(100, worker)
    assert len(endpoint.chats) < 40


@pytest.mark.parametrize(
    ("trouble", "least", "most"),
    [
        (Behaviour(status=401), 1, 2),
        (Behaviour(status=404), 1, 2),
        (Behaviour(status=404, body=b'{"error": {"message": "no such model", "code": "model_not_found"}}'), 1, 2),
        (BROKEN, 4, 8),
        (Behaviour(status=503), 4, 8),
        (Behaviour(status=429), 4, 8),
    ],
)
def test_the_requests_of_a_remote_that_fails_for_good_go_to_another(trouble: Behaviour, least: int, most: int) -> None:
    gone: list[tuple[str, str]] = []
    with (
        Endpoint(lambda _: trouble) as bad,
        Endpoint(lambda _: GOOD) as good,
        worker_of(bad, "bad/phi-4") as first,
        worker_of(good, "good/phi-4", slots=1) as second,
    ):
        second.ask(asked(1000))
        slow = threading.Event()
        good.behave = lambda _: (slow.wait(30) and GOOD) or GOOD
        done = answers(20, first, second, on_gone=lambda name, error: (gone.append((name, error.message)), slow.set()))
        assert {one.worker for one in done.values()} == {"good/phi-4"}
        assert len(good.chats) == 21
        assert least <= len(bad.chats) <= most
    assert [name for name, _ in gone] == ["bad/phi-4"]
    assert bad.url in gone[0][1]


def test_a_remote_that_dies_half_way_is_left_out_and_nothing_is_doubled() -> None:
    gone: list[str] = []
    with Endpoint(lambda _: GOOD) as good, worker_of(good, "good/phi-4", slots=2) as second:
        dies = Endpoint(lambda _: GOOD)
        died = threading.Event()

        def behave(number: int) -> Behaviour:
            if number == 5:
                threading.Thread(target=dies._server.server_close).start()
                died.set()
                return Behaviour(cut_after=1)
            return Behaviour(cut_after=0) if died.is_set() else GOOD

        dies.behave = behave
        good.behave = lambda _: (died.wait(30) and GOOD) or GOOD
        with dies, worker_of(dies, "dying/phi-4", slots=2) as first:
            done = answers(60, first, second, on_gone=lambda name, _: gone.append(name))
    assert gone == ["dying/phi-4"]
    assert {one.result.error for one in done.values()} == {None}


def test_a_remote_that_hangs_is_left_out_and_its_other_requests_go_on_elsewhere() -> None:
    gone: list[str] = []
    with (
        Endpoint(lambda _: Behaviour(hangs_after=1)) as hanging,
        Endpoint(lambda _: GOOD) as good,
        worker_of(hanging, "hanging/phi-4", slots=4, silence_s=1.0) as first,  # all four are asked before it is over
        worker_of(good, "good/phi-4", slots=1) as second,
    ):
        done = answers(30, first, second, on_gone=lambda name, _: gone.append(name))
        assert len(hanging.chats) == 4
    assert gone == ["hanging/phi-4"]
    assert {one.worker for one in done.values()} == {"good/phi-4"}


def test_a_remote_that_is_busy_for_a_while_is_waited_for() -> None:
    notices: list[Notice] = []
    busy = Behaviour(status=429, headers={"Retry-After": "0"})
    with (
        by_question(lambda _, before: GOOD if before else busy) as endpoint,
        remote_model(endpoint.url) as model,
    ):
        worker = RemoteWorker("lab/phi-4", RemoteAsking(model), 4, on_notice=notices.append, pause_s=0.0)
        done = answers(12, worker)
    assert {one.result.error for one in done.values()} == {None}
    assert any("trying again" in notice.text for notice in notices)


def test_the_last_remote_that_fails_ends_the_job_with_its_error() -> None:
    with Endpoint(lambda number: GOOD if number < 5 else BROKEN) as endpoint, worker_of(endpoint) as worker:
        done: list[int] = []
        with pytest.raises(EndpointError, match="out of memory"):
            run(((number, asked(number)) for number in range(40)), [worker], lambda one: done.append(one.number))
        assert len(done) >= 4


def test_a_stop_ends_requests_that_hang_and_makes_no_results_of_them() -> None:
    with (
        Endpoint(lambda _: Behaviour(hangs_after=1)) as endpoint,
        worker_of(endpoint, slots=4, silence_s=60.0) as worker,
    ):
        found: list[BaseException | Outcome] = []

        def ask() -> None:
            try:
                found.append(worker.ask(asked(1)))
            except PhiError as error:
                found.append(error)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(endpoint.chats) == 4)
        worker.stop()
        for thread in threads:
            thread.join(30)
        assert [type(one) for one in found] == [WorkerGoneError] * 4
        with pytest.raises(WorkerGoneError):
            worker.ask(asked(2))
        worker.stop()


def test_an_answer_without_the_form_fails_and_is_there_beside_the_error() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    good = json.dumps({"city": "Paris"})
    with (
        by_question(
            lambda question, _: Behaviour(pieces=(good if question == "question 1" else "no",), finish="stop")
        ) as endpoint,
        worker_of(endpoint) as worker,
    ):
        right, wrong = (worker.ask(asked(number, form=SchemaForm(schema))) for number in (1, 2))
    assert right.answer is not None
    assert (right.answer.parsed, right.error) == ({"city": "Paris"}, None)
    assert isinstance(wrong.error, CheckFailedError)
    assert wrong.answer is not None
    assert (wrong.answer.text, wrong.answer.parsed) == ("no", None)


def test_what_a_remote_cannot_do_fails_alone() -> None:
    with Endpoint() as endpoint, worker_of(endpoint) as worker:
        outcome = worker.ask(Asked("lab/phi-4", text="Once upon a time"))
    assert isinstance(outcome.error, UsageError)
    assert endpoint.chats == []
