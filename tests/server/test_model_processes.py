"""Models of the server on real engines: their memory, their caches, and their deaths."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing as ending
from pathlib import Path

import pytest

from phicli.answering.pool import whole
from phicli.answering.types import Answer
from phicli.chat_format.types import Message
from phicli.engine.types import Sampling
from phicli.errors import EngineDiedError
from phicli.server.loading import Loaded
from phicli.server.memory import anonymous_bytes
from phicli.server.models import Models
from phicli.server.types import LoadOptions
from tests.server.model_shop import home
from tests.support.files import TINY_PHI
from tests.support.hub import LoopbackHub
from tests.support.processes import gone
from tests.support.waiting import wait_until_it_waits

__all__ = ["home"]
pytestmark = pytest.mark.process
GREEDY = Sampling(temperature=0.0, max_tokens=8)
STORIES = tuple(f"{word} " * 30 for word in ("apple", "river", "seven", "light", "stone", "green"))


@pytest.fixture
def models(home: Path) -> Iterator[Models]:
    with ending(Models(LoadOptions(keep_alive_s=None, settings={"threads": 1}))) as made:
        yield made


def ask(loaded: Loaded, text: str, sampling: Sampling = GREEDY) -> Answer:
    return whole(loaded.model.answer([Message("user", text)], sampling=sampling))


def pid_of(models: Models) -> int:
    return models.state()[0].pids[0]


def test_the_engine_takes_no_more_than_was_planned_and_gives_it_back(models: Models) -> None:
    with models.lease("a") as loaded:
        for story in STORIES:
            ask(loaded, story)
        state = models.state()[0]
        assert 0 < state.own_bytes <= state.planned_bytes
        assert state.resident_bytes > state.own_bytes
    models.let_go("a")
    assert gone(state.pids[0])
    assert anonymous_bytes(state.pids[0]) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_an_engine_that_is_killed_fails_its_answers_and_the_next_request_gets_another(models: Models) -> None:
    failed: list[BaseException] = []

    def answer(loaded: Loaded, text: str) -> None:
        try:
            ask(loaded, text)
        except EngineDiedError as error:
            failed.append(error)

    with models.lease("a") as loaded:
        killed = pid_of(models)
        os.kill(killed, signal.SIGSTOP)
        threads = [threading.Thread(target=answer, args=(loaded, story)) for story in STORIES[:4]]
        for thread in threads:
            thread.start()
            wait_until_it_waits(thread)
        os.kill(killed, signal.SIGKILL)
        for thread in threads:
            thread.join(60)
    assert ["killed" in str(error) for error in failed] == 4 * [True]
    with models.lease("a") as loaded:
        assert ask(loaded, "What is the capital of France?", Sampling(temperature=0.0)).text.endswith("Paris.")
    assert pid_of(models) != killed


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_an_idle_engine_that_was_killed_is_replaced_for_the_next_request(models: Models) -> None:
    with models.lease("a") as loaded:
        ask(loaded, "Hello")
    killed = pid_of(models)
    os.kill(killed, signal.SIGKILL)
    os.waitid(os.P_PID, killed, os.WEXITED | os.WNOWAIT)  # all its threads have ended
    with models.lease("a") as loaded:
        assert ask(loaded, "Hello").text


def test_more_conversations_than_slots_stay_warm(home: Path) -> None:
    with ending(Models(LoadOptions(parallel=1, settings={"threads": 1}))) as models, models.lease("a") as loaded:
        assert loaded.settings.cache_ram_mib > 0
        first = [ask(loaded, story) for story in STORIES[:3]]
        again = [ask(loaded, story) for story in STORIES[:3]]
    assert [answer.text for answer in again] == [answer.text for answer in first]
    for answer in again:
        assert answer.usage.cached_tokens >= answer.usage.prompt_tokens - 2


def test_a_conversation_beyond_its_slot_gets_the_long_factors_as_it_does_alone(models: Models) -> None:
    long = "What is the capital of France? " * 40
    with models.lease("a") as loaded:
        short_before = ask(loaded, "Hello").text
        answer = ask(loaded, long)
        assert answer.context_tokens in (512, 1024)
        assert loaded.plan.context.has_long_factors(answer.context_tokens or 0)
        assert ask(loaded, "Hello").text == short_before
        assert len(models.state()[0].pids) == 2
    with ending(Models(LoadOptions(parallel=1, settings={"threads": 1}))) as others, others.lease("b") as alone:
        assert ask(alone, long).text == answer.text
        assert ask(alone, "Hello").text == short_before


def test_closing_the_models_ends_their_processes(home: Path) -> None:
    models = Models(LoadOptions(settings={"threads": 1}))
    for name in "ab":
        with models.lease(name) as loaded:
            ask(loaded, "Hello")
    pids = [pid for state in models.state() for pid in state.pids]
    models.close()
    assert all(map(gone, pids))


_PULLING = """
import sys
from phicli.errors import NotInstalledError
from phicli.server.models import Models
from phicli.server.types import LoadOptions

for pull in (False, True, False):
    models = Models(LoadOptions(pull=pull, settings={"threads": 1}))
    try:
        with models.lease("some/tiny") as loaded:
            print(loaded.model.name, [name.id for name in models.names()])
    except NotInstalledError as error:
        print(error.hint)
    models.close()
"""


def test_a_model_of_the_hub_is_downloaded_when_it_is_asked_for_and_may_be(
    hub: LoopbackHub, environment: dict[str, str]
) -> None:
    hub.add_repo("some/tiny", {"tiny-Q4_K_M.gguf": TINY_PHI})
    variables = environment | {"HF_HUB_OFFLINE": ""} | hub.environment
    run = subprocess.run(
        [sys.executable, "-c", _PULLING], env=variables, capture_output=True, text=True, check=False, timeout=120
    )
    served = "some/tiny ['tiny-phi', 'some/tiny:q4_k_m']"
    assert run.stdout.splitlines() == ["download it: phi pull some/tiny", served, served], run.stderr
