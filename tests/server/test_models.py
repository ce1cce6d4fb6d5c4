"""Models that are loaded when they are asked for: each once, beside each other, and only as many as fit."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from phicli.errors import EngineError, NotFoundError
from phicli.server.table import Table
from phicli.server.types import BusyError
from tests.server.model_shop import WAIT_S, Shop, held, home, open_shop
from tests.support.waiting import wait_until

__all__ = ["home", "open_shop"]
Open = Callable[..., Shop]


def test_requests_for_the_same_model_share_one_load(open_shop: Open) -> None:
    shop = open_shop(parallel=4)
    shop.may_load["a"].clear()
    leases = [shop.hold("a") for _ in range(4)]
    wait_until(lambda: shop.models.state()[:1] and shop.models.state()[0].queued == 4)
    assert not any(lease.got.is_set() for lease in leases)
    shop.may_load["a"].set()
    with held(*leases):
        assert len({id(lease.loaded) for lease in leases}) == 1
    assert len(shop.engines) == 1


def test_different_names_of_a_file_mean_one_model(open_shop: Open) -> None:
    shop = open_shop()
    for name in ("tiny-phi", "Tiny_Phi", "tiny-phi:f16"):
        shop.use(name)
    assert len(shop.engines) == 1


def test_a_model_that_loads_holds_up_no_answer_of_another(open_shop: Open) -> None:
    shop = open_shop()
    shop.use("a")
    shop.may_load["b"].clear()
    slow = shop.hold("b")
    wait_until(lambda: len(shop.engines) == 2)
    shop.use("a")
    assert not slow.got.is_set()
    shop.may_load["b"].set()
    slow.has().end()


def test_the_least_recently_used_idle_model_makes_room(open_shop: Open) -> None:
    shop = open_shop(2)
    for name in ("a", "b", "a", "c"):
        shop.use(name)
    assert shop.loaded == ["a", "c"]
    assert [engine.closed for engine in shop.loads("b")] == [True]
    assert shop.models.counters.data()["evictions"] == 1


def test_a_model_that_answers_is_never_ended_for_another(open_shop: Open) -> None:
    shop = open_shop(1, wait_s=0.0)
    with held(shop.hold("a")):
        with pytest.raises(BusyError, match="b does not fit into memory while other models answer") as caught:
            shop.use("b")
        assert caught.value.retry_after_s >= 1
        assert not shop.engines[0].closed
    shop.use("b")
    assert shop.loaded == ["b"]


def test_a_model_without_room_waits_for_the_answers_of_others(open_shop: Open) -> None:
    shop = open_shop(1)
    first, second = shop.hold("a").has(), shop.hold("b")
    wait_until(lambda: any(state.name == "b" for state in shop.models.state()))
    assert not second.got.is_set()
    first.end()
    second.has().end()
    assert shop.loaded == ["b"]


def test_a_model_that_waits_for_room_gets_it_though_others_ask_for_the_loaded_one(open_shop: Open) -> None:
    shop = open_shop(1)
    first = shop.hold("a").has()
    other = shop.hold("b")
    wait_until(lambda: any(served.makes_way for served, _ in shop.models._table.all()))
    later = shop.hold("a")
    wait_until(lambda: sum(state.queued for state in shop.models.state()) == 2)
    first.end()
    other.has()
    assert not later.got.is_set()
    other.end()
    later.has().end()


def test_a_model_that_is_lent_makes_way_for_nobody(open_shop: Open) -> None:
    shop = open_shop(1, wait_s=0.0)
    with held(shop.hold("a", lent=True)):
        with pytest.raises(BusyError):
            shop.use("b")
        shop.use("a")
        assert not shop.engines[0].closed


def test_a_loan_takes_no_slot(open_shop: Open) -> None:
    shop = open_shop(parallel=1)
    with held(shop.hold("a", lent=True), shop.hold("a"), shop.hold("a", lent=True)):
        state = shop.models.state()[0]
        assert (state.running, state.loans, state.idle_since) == (1, 2, None)


def test_more_requests_than_slots_wait_in_their_order(open_shop: Open) -> None:
    shop = open_shop()
    first, second = shop.hold("a").has(), shop.hold("a").has()
    third = shop.hold("a")
    wait_until(lambda: shop.models.state()[0].queued == 1)
    fourth = shop.hold("a")
    wait_until(lambda: shop.models.state()[0].queued == 2)
    first.end()
    third.has()
    assert not fourth.got.is_set()
    second.end()
    third.end()
    fourth.has().end()


@pytest.mark.parametrize("loading", [True, False])
def test_a_client_that_leaves_waits_no_longer(open_shop: Open, *, loading: bool) -> None:
    shop = open_shop(parallel=1)
    if loading:
        shop.may_load["a"].clear()
    else:
        running = shop.hold("a").has()
    leaving = shop.hold("a")
    wait_until(lambda: bool(shop.models.state()) and shop.models.state()[0].queued == 1)
    leaving.closing.ask()
    assert leaving.future.exception(WAIT_S) is not None
    assert shop.models.state()[0].queued == 0
    if loading:
        shop.may_load["a"].set()
    else:
        running.end()
    shop.use("a")
    assert len(shop.engines) == 1


def test_a_load_that_nobody_waits_for_gives_up_its_place(open_shop: Open) -> None:
    shop = open_shop(1)
    running = shop.hold("a").has()
    leaving = shop.hold("b")
    wait_until(lambda: any(state.name == "b" for state in shop.models.state()))
    leaving.closing.ask()
    wait_until(lambda: [state.name for state in shop.models.state()] == ["a"])
    running.end()
    assert shop.loaded == ["a"]


def test_a_load_that_fails_fails_for_all_and_the_next_request_tries_again(open_shop: Open) -> None:
    shop = open_shop()
    shop.broken.add("a")
    shop.may_load["a"].clear()
    leases = [shop.hold("a") for _ in range(3)]
    wait_until(lambda: shop.models.state()[:1] and shop.models.state()[0].queued == 3)
    shop.may_load["a"].set()
    assert [str(lease.future.exception(WAIT_S)) for lease in leases] == 3 * ["the file is broken"]
    assert shop.models.state() == ()
    shop.broken.clear()
    shop.use("a")
    assert shop.models.counters.data()["failed_loads"] == 1
    assert not shop.ledger.shares[1:]


def test_a_bug_in_a_load_is_reported_and_fails_the_request(
    open_shop: Open, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHI_DEBUG", "1")
    shop = open_shop(settings={"nonsense": 1})
    with pytest.raises(EngineError, match="a cannot be loaded"):
        shop.use("a")
    assert [bug.partition(" in ")[0] for bug in shop.bugs] == ["unexpected KeyError"]
    assert "Traceback" in capsys.readouterr().err


def test_a_file_that_is_gone_is_an_error_and_no_hang(open_shop: Open) -> None:
    shop = open_shop()
    located = shop.models.locate("a")
    located.path.unlink()
    with pytest.raises(NotFoundError):
        shop.use("a")
    with pytest.raises((EngineError, NotFoundError)), shop.models.lend(located):
        pass


def test_a_file_that_has_changed_is_loaded_again(open_shop: Open) -> None:
    shop = open_shop()
    shop.use("a")
    path = shop.models.locate("a").path
    os.utime(path, ns=(0, 10**18))
    shop.use("a")
    assert len(shop.engines) == 2


def test_a_change_before_a_wait_is_not_missed() -> None:
    table = Table(lambda _: None)
    seen = table.changes
    table.nobody_makes_way()
    assert table.wait(None, seen)


def test_a_signal_that_came_before_the_wait_for_a_model_is_noticed(open_shop: Open) -> None:
    shop = open_shop()
    shop.may_load["a"].clear()
    waits: list[float | None] = []

    class Signalled(BaseException): ...

    def wait(timeout_s: float | None = None) -> bool:  # as the main thread, which sees signals between its waits only
        waits.append(timeout_s)
        raise Signalled

    table = Table(lambda _: None)
    table.changed.wait = wait  # type: ignore[method-assign]
    with pytest.raises(Signalled):
        table.take(shop.models.locate("a"), None, lent=True)
    assert waits[0] is not None
    shop.may_load["a"].set()


def test_a_model_that_loads_has_its_memory_planned(open_shop: Open) -> None:
    shop = open_shop()
    shop.may_load["a"].clear()
    lease = shop.hold("a")
    wait_until(lambda: len(shop.engines) == 1)
    state = shop.models.state()[0]
    assert (state.phase, state.slots, state.running, state.queued) == ("loading", None, 0, 1)
    assert state.planned_bytes > 50_000_000
    shop.may_load["a"].set()
    lease.has().end()


def test_closing_ends_all_engines_and_all_waits(open_shop: Open) -> None:
    shop = open_shop(parallel=1)
    running, waiting = shop.hold("a").has(), shop.hold("a")
    shop.may_load["b"].clear()
    loading = shop.hold("b")
    wait_until(lambda: len(shop.engines) == 2)
    shop.models.close()
    assert all(engine.closed for engine in shop.engines)
    for lease in (waiting, loading):
        assert isinstance(lease.future.exception(WAIT_S), BusyError | EngineError)
    running.end()
    with pytest.raises(BusyError, match="stopping"):
        shop.use("c")
    assert len(shop.engines) == 2


def test_states_ask_nothing_of_engines_and_have_every_number(open_shop: Open) -> None:
    shop = open_shop(keep_alive_s=1000.0)
    assert shop.models.state() == ()
    with held(shop.hold("a")):
        state = shop.models.state()[0]
        assert (state.name, state.phase, state.slots, state.running, state.queued) == ("a", "ready", 2, 1, 0)
        assert (state.context_tokens, state.limit_tokens, state.build) == (256, 1024, "fake 1")
        assert (state.idle_since, state.until) == (None, None)
        assert state.planned_bytes > 50_000_000
    state = shop.models.state()[0]
    assert state.idle_since is not None
    assert state.until == state.idle_since + 1000.0
    data = state.to_data()
    assert (data["model"], data["running"], data["memory_bytes"]) == ("a", 0, state.planned_bytes)
    assert datetime.fromisoformat(data["until"]) - datetime.fromisoformat(data["idle_since"]) == timedelta(seconds=1000)
    with held(shop.hold("a", lent=True)):
        assert shop.models.state()[0].to_data()["running"] == 1


def test_many_requests_for_more_models_than_fit_are_all_answered(open_shop: Open) -> None:
    shop = open_shop(2, parallel=2)
    wrong: list[str] = []
    start = threading.Barrier(24)

    def ask(place: int) -> None:
        start.wait(WAIT_S)
        for turn in range(4):
            name = "abc"[(place + turn) % 3]
            with shop.models.lease(name) as loaded:
                engine = loaded.model.engines.running(None)
                if engine.closed or engine.settings.model_path.stem != name:  # type: ignore[attr-defined]
                    wrong.append(name)

    for done in [shop.threads.submit(ask, place) for place in range(24)]:
        done.result(WAIT_S)
    assert not wrong
    assert len([engine for engine in shop.engines if not engine.closed]) <= 2
