"""The pytest fixture that gives a test a hub of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .server import LoopbackHub


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    """A loopback hub without repositories, gone again after the test."""
    with LoopbackHub() as loopback:
        yield loopback
    assert loopback.errors == []
