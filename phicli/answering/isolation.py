"""Finds the question that crashes an engine: those that were under way at a crash are asked again, each alone."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from phicli.errors import EngineDiedError, EngineError

Result = TypeVar("Result")
_MOST_CRASHES: Final = 16
"""In a row, of engines that had one question each: then it is not the questions."""


class CrashIsolation:
    """Lets questions be asked side by side, and after a crash alone."""

    def __init__(self) -> None:
        self._gate = Gate()
        self._crashes = 0

    def ask(self, ask: Callable[[], Result]) -> Result:
        """What ``ask`` returns; it may be called twice, and must get another engine after one that crashed.

        Raises:
            EngineDiedError: the engine was ended or killed, hangs, or crashes at every question.
            EngineError: the engine cannot answer this question, or crashes at it.
        """
        with self._gate.together():
            try:
                return self._answered(ask())
            except EngineDiedError as error:
                if not error.crashed:
                    raise
        with self._gate.alone():
            try:
                return self._answered(ask())
            except EngineDiedError as error:  # nothing else was asked, so it is the fault of this question
                if not error.crashed:
                    raise
                self._crashes += 1
                if self._crashes < _MOST_CRASHES:
                    raise EngineError(error.message, error.hint) from error
                message = f"the engine crashed on {self._crashes} questions in a row; the last error: {error.message}"
                raise EngineDiedError(message, error.hint, data=error.data) from error

    def _answered(self, answer: Result) -> Result:
        self._crashes = 0
        return answer


class Gate:
    """Lets threads work side by side, and one of them alone when it asks for that: it goes before those that wait."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._wanting = 0
        self._closed = False

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Work beside others; waits while somebody works alone or wants to."""
        with self._changed:
            self._changed.wait_for(lambda: not self._closed and not self._wanting)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Work while nobody else does; not from within :meth:`together`."""
        with self._changed:
            self._wanting += 1
            try:
                self._changed.wait_for(lambda: not self._closed and not self._inside)
                self._closed = True
            finally:
                self._wanting -= 1
        try:
            yield
        finally:
            with self._changed:
                self._closed = False
                self._changed.notify_all()
