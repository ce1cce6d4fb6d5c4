"""Everything that can happen to models at once: leases, loans, ends, refusals, clients that leave, loads that fail."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable

import pytest

from phicli.engine.closable import Closing
from phicli.errors import DoesNotFitError, EngineError, NotFoundError
from phicli.server.types import BusyError
from tests.server.model_shop import WAIT_S, Engine, Shop, home, open_shop
from tests.support.waiting import wait_until

__all__ = ["home", "open_shop"]
THREADS, TURNS = 12, 40


class Chaos:
    """Threads that do anything with three models, two of which fit; ``wrong`` is what must not be."""

    def __init__(self, shop: Shop, seed: int) -> None:
        self.shop, self.seed = shop, seed
        self.wrong: list[str] = []

    def run(self) -> None:
        for done in [self.shop.threads.submit(self._act, place) for place in range(THREADS)]:
            done.result(WAIT_S)

    def _act(self, place: int) -> None:
        dice = random.Random(f"{self.seed}-{place}")
        for _ in range(TURNS):
            name, what = dice.choice("abc"), dice.random()
            with contextlib.suppress(BusyError, NotFoundError, DoesNotFitError):
                if what < 0.1:
                    self.shop.models.let_go(name)
                elif what < 0.2:
                    self._leave_early(name, dice.random() / 500)
                else:
                    self._lease(name, lent=what < 0.3, larger=what > 0.8, breaks=0.7 < what < 0.73)

    def _lease(self, name: str, *, lent: bool, larger: bool, breaks: bool) -> None:
        if breaks:
            self.shop.broken ^= {name}
        try:
            lease = self.shop.models.lend(self.shop.models.locate(name)) if lent else self.shop.models.lease(name)
            with lease as loaded:
                engines = [loaded.model.engines.running(None)]
                with contextlib.suppress(DoesNotFitError):
                    if larger:
                        engines.append(loaded.model.engines.with_context(512, None))
                for engine in engines:
                    assert isinstance(engine, Engine)
                    if engine.closed or engine.settings.model_path.stem != name:
                        self.wrong.append(f"{name}: {engine.settings} closed: {engine.closed}")
        except EngineError as error:
            if "broken" not in str(error):
                self.wrong.append(repr(error))

    def _leave_early(self, name: str, after_s: float) -> None:
        closing = Closing()
        timer = threading.Timer(after_s, closing.ask)
        timer.start()
        try:
            self.shop.use(name, closing=closing)
        except (BusyError, NotFoundError):
            raise
        except EngineError as error:
            if "broken" not in str(error):
                self.wrong.append(repr(error))
        except Exception:  # noqa: BLE001 (it left)
            assert closing.asked
        finally:
            timer.cancel()


@pytest.mark.parametrize("keep_alive_s", [None, 0.0, 0.002])
@pytest.mark.parametrize("seed", range(3))
def test_nobody_gets_an_engine_that_has_ended_and_nothing_is_left(
    open_shop: Callable[..., Shop], seed: int, keep_alive_s: float | None
) -> None:
    shop = open_shop(2, keep_alive_s=keep_alive_s)
    chaos = Chaos(shop, seed)
    chaos.run()
    assert not chaos.wrong
    assert all(not state.queued for state in shop.models.state())
    running = [engine for engine in shop.engines if not engine.closed]
    wait_until(lambda: len(shop.ledger.shares) == len([engine for engine in shop.engines if not engine.closed]))
    assert len(running) <= 2
    shop.models.close()
    wait_until(lambda: all(engine.closed for engine in shop.engines))  # of one that was just ending as well
    wait_until(lambda: not shop.ledger.shares)
