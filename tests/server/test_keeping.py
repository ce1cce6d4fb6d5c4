"""How long models stay loaded: until nobody has used them for a while, until they are unloaded, or always."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from phicli.errors import DoesNotFitError, NotFoundError
from phicli.server.types import BusyError
from tests.server.model_shop import WAIT_S, Shop, held, home, open_shop
from tests.support.waiting import wait_until

__all__ = ["home", "open_shop"]
Open = Callable[..., Shop]


def test_a_model_that_is_not_kept_ends_after_its_last_answer(open_shop: Open) -> None:
    shop = open_shop(keep_alive_s=0.0)
    first, second = shop.hold("a").has(), shop.hold("a").has()
    first.end()
    assert shop.loaded == ["a"]
    second.end()
    wait_until(lambda: shop.engines[0].closed)
    wait_until(lambda: shop.models.state() == ())
    assert shop.models.counters.data()["expired"] == 1
    assert not shop.ledger.shares


def test_a_model_ends_when_it_was_idle_for_long_enough(open_shop: Open) -> None:
    shop = open_shop(keep_alive_s=0.2)
    shop.use("a")
    wait_until(lambda: shop.engines[0].closed)
    with held(shop.hold("a")):
        assert len(shop.engines) == 2


def test_an_engine_that_cannot_be_closed_is_reported_and_others_expire_as_before(open_shop: Open) -> None:
    shop = open_shop(keep_alive_s=0.0)
    shop.closes_badly = {"a"}
    for name in "ab":
        shop.use(name)
    wait_until(lambda: len(shop.engines) == 2 and shop.engines[1].closed)
    wait_until(lambda: shop.models.state() == ())
    assert [bug.partition(",")[0] for bug in shop.bugs] == ["unexpected ValueError in close"]
    with held(shop.hold("a"), shop.hold("b")):
        assert len(shop.engines) == 4


def test_the_state_of_an_idle_model_has_its_end(open_shop: Open) -> None:
    shop = open_shop(keep_alive_s=3600.0)
    shop.use("a")
    state = shop.models.state()[0]
    assert state.idle_since is not None
    assert state.until == state.idle_since + 3600.0


def test_a_model_whose_engine_was_killed_is_no_longer_loaded(open_shop: Open) -> None:
    shop = open_shop(keep_alive_s=None)
    shop.use("a")
    shop.use("b")
    shop.engines[0].ended = True
    assert [state.name for state in shop.models.state()] == ["b"]
    assert len(shop.ledger.shares) == 1
    with held(shop.hold("a")):
        assert len(shop.loads("a")) == 2
        shop.engines[2].ended = True
        assert len(shop.models.state()) == 2, "it is used, and whoever uses it is told"


def test_force_ends_a_model_that_is_in_use(open_shop: Open) -> None:
    shop = open_shop(keep_alive_s=None)
    answer, loan = shop.hold("a").has(), shop.hold("a", lent=True).has()
    with pytest.raises(BusyError, match=r"in use: a \(by phi chat\)"):
        shop.models.let_go("a")
    assert shop.models.let_go("a", force=True) == ("a",)
    assert shop.engines[0].closed
    assert shop.models.state() == ()
    assert not shop.ledger.shares
    answer.end()
    loan.end()
    shop.use("a")
    assert len(shop.engines) == 2


def test_a_model_that_is_kept_for_ever_has_no_end(open_shop: Open) -> None:
    shop = open_shop(keep_alive_s=None)
    shop.use("a")
    assert shop.models.state()[0].until is None
    assert shop.loaded == ["a"]


def test_an_idle_end_that_meets_a_new_request_fails_none(open_shop: Open) -> None:
    shop = open_shop(keep_alive_s=0.0)
    together = threading.Barrier(2)
    ended: list[int] = []

    def ask(_: int) -> None:
        for turn in range(200):
            together.wait(WAIT_S)
            with shop.models.lease("a") as loaded:
                engine = loaded.model.engines.running(None)
                if engine.closed:  # type: ignore[attr-defined]
                    ended.append(turn)

    for done in [shop.threads.submit(ask, place) for place in range(2)]:
        done.result(WAIT_S)
    assert not ended
    assert len(shop.engines) > 1, "some were ended"
    wait_until(lambda: all(engine.closed for engine in shop.engines))


def test_idle_models_are_let_go_of_and_those_in_use_are_not(open_shop: Open) -> None:
    shop = open_shop()
    shop.use("b")
    with held(shop.hold("a")):
        with pytest.raises(BusyError, match="in use: a"):
            shop.models.let_go("a")
        with pytest.raises(BusyError, match="in use: a"):
            shop.models.let_go(None)
        assert shop.loaded == ["a"]
    assert shop.models.let_go("a") == ("a",)
    assert shop.models.let_go(None) == ()
    with pytest.raises(NotFoundError, match="'a' is not loaded"):
        shop.models.let_go("a")


def test_a_larger_context_gets_an_engine_that_makes_room_before_an_idle_model_does(open_shop: Open) -> None:
    shop = open_shop(2, wait_s=0.0)
    with shop.models.lease("a") as loaded:
        larger = loaded.model.engines.with_context(512, None)
        assert (larger.settings.slots, larger.settings.cache_ram_mib) == (1, 0)  # type: ignore[attr-defined]
        assert len(shop.models.state()[0].pids) == 2
        with pytest.raises(BusyError):
            shop.use("b")
    assert not any(engine.closed for engine in shop.engines), "the conversation may go on"
    shop.use("b")
    assert shop.loaded == ["a", "b"]
    assert [engine.closed for engine in shop.loads("a")] == [False, True]
    assert len(shop.ledger.shares) == 2


def test_only_leases_that_began_before_its_last_use_keep_a_larger_engine(open_shop: Open) -> None:
    shop = open_shop(2)
    with shop.models.lease("a") as loaded:
        loaded.model.engines.with_context(512, None)
        later = shop.hold("a").has()
    shop.use("b")
    assert [engine.closed for engine in shop.loads("a")] == [False, True]
    later.end()


def test_an_idle_model_makes_room_for_a_larger_engine(open_shop: Open) -> None:
    shop = open_shop(2)
    shop.use("b")
    with shop.models.lease("a") as loaded:
        loaded.model.engines.with_context(512, None)
    assert shop.loaded == ["a"]


def test_a_larger_engine_that_does_not_fit_is_refused_with_the_sums(open_shop: Open) -> None:
    shop = open_shop(2)
    with held(shop.hold("b")), shop.models.lease("a") as loaded:
        with pytest.raises(DoesNotFitError, match="a with a context of 512 tokens does not fit") as caught:
            loaded.model.engines.with_context(512, None)
        assert caught.value.data
        assert caught.value.data["context_tokens"] == 512
        assert caught.value.data["needed_bytes"] > 0
        assert not any(engine.closed for engine in shop.engines)
