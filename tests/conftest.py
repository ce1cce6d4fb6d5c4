"""Fixtures for all tests: ``phi`` as a process, and the engine on a vocabulary."""

from tests.support.running import environment, phi
from tests.support.tokenizing import tokenizing_engine

__all__ = ["environment", "phi", "tokenizing_engine"]
