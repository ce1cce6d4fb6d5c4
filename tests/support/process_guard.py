"""The marker ``process`` for tests that start a process, and a guard that no other test starts one.

A plugin of pytest, registered in ``tests/conftest.py``. A fixture that starts processes asks for ``starts_process``;
every test that needs such a fixture gets the marker. A test that starts one by itself has ``@pytest.mark.process``.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def starts_process() -> None:
    """Asked for by the fixtures that start processes, so that their tests get the marker ``process``."""


class ProcessGuard:
    """Makes ``subprocess.Popen`` fail in tests that are not marked ``process`` or ``model``."""

    def __init__(self) -> None:
        self._tried: list[str] = []

    def take(self) -> list[str]:
        """The commands that this unmarked test tried to start; they are forgotten, so that it may pass."""
        tried, self._tried = self._tried, []
        return tried

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Mark the tests whose fixtures start processes, before ``-m`` selects."""
        for item in items:
            if "starts_process" in getattr(item, "fixturenames", ()):
                item.add_marker("process")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Put the guard around fixtures of every scope and the test itself."""
        if item.get_closest_marker("process") or item.get_closest_marker("model"):
            return (yield)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(subprocess.Popen, "__init__", self._refuse)
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self) -> Iterator[None]:
        """Fail a test whose attempt was swallowed, or happened in another thread."""
        try:
            return (yield)
        finally:
            if tried := self.take():
                pytest.fail(_message(tried[0]), pytrace=False)

    def _refuse(self, arguments: Any, *_: object, **__: object) -> None:
        self._tried.append(str(arguments))
        pytest.fail(_message(str(arguments)))


def _message(arguments: str) -> str:
    return f"a test that is not marked `process` starts one: {arguments}; add @pytest.mark.process"
