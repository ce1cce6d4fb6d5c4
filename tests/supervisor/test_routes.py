"""``/phi/state`` and ``/phi/stop`` over models that a test decides on."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
import uvicorn
from starlette.applications import Starlette

from phicli.errors import NotFoundError
from phicli.server.http.supervising import supervising_routes
from phicli.server.models import Models
from phicli.server.residence import reside
from phicli.server.states import ModelState
from phicli.server.types import BusyError
from phicli.supervisor.client import RefusedError, find
from phicli.supervisor.looking import look
from phicli.supervisor.place import Place
from phicli.supervisor.stopping import Stopped, stop

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")

IDLE = ModelState(
    name="tiny-phi", phase="ready", path="/x.gguf", planned_bytes=3, resident_bytes=2, own_bytes=1, context_tokens=256,
    limit_tokens=1024, slots=4, running=0, queued=0, loans=0, idle_since=0.0, until=300.0, pids=(1,), build="b",
)  # fmt: skip
LENT = replace(IDLE, name="phi-4-mini:q4_k_m", loans=1, idle_since=None, until=None)


class Kept:
    """The models of a server, as far as the routes use them."""

    def __init__(self, *states: ModelState) -> None:
        self.states = list(states)

    def state(self) -> tuple[ModelState, ...]:
        return tuple(self.states)

    def let_go(self, name: str | None, *, force: bool = False) -> tuple[str, ...]:
        known = [one for one in self.states if name in (None, one.name)]
        if name is not None and not known:
            raise NotFoundError(f"model {name!r} is not loaded", "see the loaded models: phi ps")
        used = [one for one in known if one.loans and not force]
        self.states = [one for one in self.states if one not in known or one in used]
        if used:
            raise BusyError(f"in use: {used[0].name} (by phi chat)", retry_after_s=1)
        return tuple(one.name for one in known)


@pytest.fixture
def serving(here: Place) -> Iterator[Callable[..., threading.Thread]]:
    """Call with states of models to serve them; gives the thread of the server."""
    ends: list[Callable[[], Any]] = []

    def start(*states: ModelState) -> threading.Thread:
        residence = reside(background=True)
        app = Starlette(routes=supervising_routes(cast("Models", Kept(*states)), residence))
        server = uvicorn.Server(uvicorn.Config(residence.app(app, app), log_config=None, lifespan="off"))
        residence.open(server)

        def run() -> None:
            server.run(sockets=residence.sockets)
            residence.close()

        thread = threading.Thread(target=run)
        thread.start()
        ends.extend([lambda: residence.end(force=True), thread.join])
        return thread

    yield start
    for end in ends:
        end()


def test_the_state_has_the_server_and_its_models(serving: Callable[..., threading.Thread]) -> None:
    serving(IDLE, LENT)
    state = look()
    assert state is not None
    assert state["background"] is True
    assert state["ends_at"] > state["started_at"]
    assert not {"key", "loopback", "schema"} & state.keys()
    idle, lent = state["models"]
    assert (idle["model"], idle["used"]) == ("tiny-phi", False)
    assert (idle["idle_since"], idle["until"]) == ("1970-01-01T00:00:00+00:00", "1970-01-01T00:05:00+00:00")
    assert (lent["model"], lent["used"], lent["idle_since"], lent["until"]) == ("phi-4-mini:q4_k_m", True, None, None)


def test_a_model_that_is_lent_stays(serving: Callable[..., threading.Thread]) -> None:
    serving(IDLE, LENT)
    with pytest.raises(RefusedError, match=r"in use: phi-4-mini:q4_k_m \(by phi chat\)$") as one:
        stop("phi-4-mini:q4_k_m", everything=False, force=False)
    assert one.value.hint.endswith("or end them: phi stop phi-4-mini:q4_k_m --force")
    with pytest.raises(RefusedError, match=r"in use: phi-4-mini:q4_k_m \(by phi chat\)$") as refused:
        stop(None, everything=True, force=False)
    assert refused.value.status == 409
    assert refused.value.reason == "busy"
    assert "phi stop --all --force" in refused.value.hint
    assert stop("tiny-phi", everything=False, force=False) == Stopped(("tiny-phi",), False)
    with pytest.raises(NotFoundError, match="is not loaded"):
        stop("tiny-phi", everything=False, force=False)
    assert find() is not None


def test_force_ends_a_server_whose_models_are_in_use(serving: Callable[..., threading.Thread]) -> None:
    thread = serving(LENT)
    assert stop(None, everything=True, force=True) == Stopped(("phi-4-mini:q4_k_m",), True)
    thread.join(60)
    assert not thread.is_alive()
    assert find() is None


def test_force_ends_one_model_that_is_in_use(serving: Callable[..., threading.Thread]) -> None:
    serving(IDLE, LENT)
    assert stop(LENT.name, everything=False, force=True) == Stopped((LENT.name,), False)
    assert find() is not None


def test_all_models_of_a_server_that_stays(serving: Callable[..., threading.Thread]) -> None:
    serving(IDLE, replace(IDLE, name="other"))
    assert stop(None, everything=False, force=False) == Stopped(("tiny-phi", "other"), False)
    assert stop(None, everything=False, force=False) == Stopped((), False)
    assert find() is not None
