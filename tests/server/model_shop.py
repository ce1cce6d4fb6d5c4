"""Models of the server on scripted engines: their loads can be held up, and the memory holds a given number."""

from __future__ import annotations

import itertools
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from phicli.engine.closable import Closing
from phicli.engine.types import LoadSettings, LocalEngine
from phicli.errors import EngineDiedError, EngineError
from phicli.hardware.available import Memory
from phicli.hub.in_place.registry import RegisteredModel, remember
from phicli.server.downloads import Downloads
from phicli.server.loading import Loaded
from phicli.server.memory import Ledger, Share
from phicli.server.models import Models
from phicli.server.types import LoadOptions
from tests.fakes.scripted_engine import ScriptedEngine
from tests.support.files import TINY_PHI

GIB = 1 << 30
PLENTY = Memory(64 * GIB, 60 * GIB, "test")
NOTHING_LEFT = Memory(64 * GIB, 1, "test")
WAIT_S = 60
_PIDS = itertools.count(1 << 40)


class Engine(ScriptedEngine):
    """A scripted engine that loads when the shop lets it."""

    def __init__(self, settings: LoadSettings, shop: Shop) -> None:
        super().__init__(str, context_tokens=settings.context_tokens)
        self.settings, self.shop = settings, shop
        self.pid, self.build, self.loading, self.ended = next(_PIDS), "fake 1", False, False
        self.broken = settings.model_path.stem in shop.broken

    def close(self) -> None:
        super().close()
        if self.settings.model_path.stem in self.shop.closes_badly:
            raise ValueError("it cannot be closed")

    def wait_ready(self, closing: Closing | None = None) -> None:
        while not self.shop.may_load[self.settings.model_path.stem].wait(0.01):
            if closing is not None:
                closing.check()
            if self.closed:
                raise EngineDiedError("the engine was closed")
        if self.broken:
            raise EngineError("the file is broken", "try another file")


class FewEngines(Ledger):
    """Memory for so many engines, whatever they take."""

    def __init__(self, most: int) -> None:
        super().__init__(lambda: PLENTY, lambda _: 0)
        self.most = most

    @property
    def shares(self) -> list[Share]:
        return self._shares

    def _left(self, _: object) -> Memory:
        return PLENTY if len(self._shares) < self.most else NOTHING_LEFT


class _Gates(dict[str, threading.Event]):
    def __missing__(self, name: str) -> threading.Event:
        gate = self[name] = threading.Event()
        gate.set()
        return gate


class Shop:
    """Three models, ``a``, ``b`` and ``c``, with two slots each."""

    def __init__(self, most: int = 9, **options: Any) -> None:
        self.may_load = _Gates()
        self.broken: set[str] = set()
        self.closes_badly: set[str] = set()
        self.bugs: list[str] = []
        self.engines: list[Engine] = []
        self.ledger = FewEngines(most)
        self.models = Models(
            LoadOptions(**{"parallel": 2, "keep_alive_s": None, **options}),
            start=self._start, ledger=self.ledger, downloads=Downloads(self.pull),
            on_bug=self.bugs.append,
        )  # fmt: skip
        self.pull_now: Callable[[str], None] = lambda _: None
        self.threads = ThreadPoolExecutor(64)

    def pull(self, model: str) -> None:
        self.pull_now(model)

    def loads(self, name: str) -> list[Engine]:
        """The engines that were started for a model."""
        return [engine for engine in self.engines if engine.settings.model_path.stem == name]

    @property
    def loaded(self) -> list[str]:
        return sorted(state.name for state in self.models.state() if state.phase == "ready")

    def use(self, name: str, *, closing: Closing | None = None) -> None:
        """A lease that ends at once."""
        with self.models.lease(name, closing):
            pass

    def hold(self, name: str, **more: Any) -> Held:
        """A lease in a thread of its own, that lasts until it is given back."""
        return Held(self, name, **more)

    def close(self) -> None:
        self.models.close()
        for gate in self.may_load.values():
            gate.set()
        self.threads.shutdown()

    def _start(self, name: str, settings: LoadSettings, **_: object) -> LocalEngine:
        engine = Engine(settings, self)
        self.engines.append(engine)
        return engine  # type: ignore[return-value]


class Held:
    """A lease in a thread: ``got`` when it has its model."""

    def __init__(self, shop: Shop, name: str, *, lent: bool = False) -> None:
        self.got, self._over, self.closing = threading.Event(), threading.Event(), Closing()
        self.loaded: Loaded | None = None

        def run() -> None:
            models = shop.models
            lease = models.lend(models.locate(name), self.closing) if lent else models.lease(name, self.closing)
            with lease as self.loaded:
                self.got.set()
                self._over.wait(WAIT_S)

        self.future: Future[None] = shop.threads.submit(run)

    def has(self) -> Held:
        """Itself, once it has its model."""
        assert self.got.wait(WAIT_S), self.future.exception(0) if self.future.done() else "it got none"
        return self

    def end(self) -> None:
        """Give the model back, and wait for that."""
        self._over.set()
        self.future.result(WAIT_S)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of ``phi`` in which three copies of tiny-phi are registered, and nothing is in the cache."""
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "phi"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name in "abc":
        path = tmp_path / f"{name}.gguf"
        shutil.copy(TINY_PHI, path)
        status = path.stat()
        remember(RegisteredModel(name, path, None, None, status.st_size, status.st_mtime_ns, None, "import"))
    return tmp_path


@pytest.fixture
def open_shop(home: Path) -> Iterator[Callable[..., Shop]]:
    """Makes shops that end with the test."""
    shops: list[Shop] = []

    def make(most: int = 9, **options: Any) -> Shop:
        shops.append(Shop(most, **options))
        return shops[-1]

    yield make
    for shop in shops:
        shop.close()


@contextmanager
def held(*leases: Held) -> Iterator[None]:
    """Within the context the leases have their models; then they end."""
    for lease in leases:
        lease.has()
    yield
    for lease in leases:
        lease.end()
