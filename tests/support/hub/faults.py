"""How a loopback hub misbehaves on demand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

ServerName = Literal["hub", "cdn", "cas"]

_RULE_FIELDS = frozenset({"path", "method", "server", "times", "skip"})
_ENDINGS = frozenset({"status", "body", "html", "redirect_loop", "empty", "cut_after", "stall_after", "length_delta"})


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule: which requests it applies to, how often, and everything that then goes wrong.

    Several effects in one rule all happen together (``bytes_per_second`` with ``cut_after``, say). Byte counts are
    of the body sent in that answer, except for ``flip_at``, which counts from the start of the whole file.
    """

    path: str = ""
    """Applies to requests whose path (with query) contains this."""
    method: str | None = None
    """Applies to this method only, ``"GET"`` or ``"HEAD"``."""
    server: ServerName | None = None
    """Applies to this server only."""
    times: int | None = 1
    """Applies to so many requests, then no more (None: to all)."""
    skip: int = 0
    """Lets so many matching requests through first."""

    status: int | None = None
    """Answers with this error status instead."""
    retry_after: int | None = None
    """Adds ``Retry-After`` (and the hub's ``RateLimit``) to the error."""
    body: bytes | None = None
    """Answers with this body instead, as if all were well."""
    html: bool = False
    """Answers 200 with a web page instead, as a captive portal does."""
    redirect_loop: bool = False
    """Redirects to the same address (with ``times=None`` this never ends)."""
    empty: bool = False
    """Closes the connection without an answer."""
    cut_after: int | None = None
    """Closes the connection after so many bytes of the body."""
    reset: bool = False
    """Makes ``cut_after`` and ``empty`` end with a connection reset rather than an orderly end of file."""
    stall_after: int | None = None
    """Goes silent after so many bytes of the body, keeping the connection open."""
    length_delta: int = 0
    """Declares a Content-Length so much longer (or shorter, if negative) than the body, then closes."""

    delay: float = 0.0
    """Waits so many seconds before answering."""
    bytes_per_second: int | None = None
    """Sends the body no faster than this."""
    flip_at: tuple[int, ...] = ()
    """Flips all bits of the bytes at these offsets of the file."""
    ignore_range: bool = False
    """Acts as if the request had no Range header."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers to add to the answer or replace in it (an empty value removes the header)."""
    action: Callable[[], object] | None = None
    """Something to do while the answer is under way, such as moving the branch to a new commit."""
    action_after: int = 0
    """Does ``action`` after so many bytes of the body."""

    def matches(self, server: str, method: str, path: str) -> bool:
        """Whether the rule is about such a request."""
        return self.path in path and self.method in {None, method} and self.server in {None, server}

    @property
    def effects(self) -> dict[str, Any]:
        """The fields that say what goes wrong, as far as they were given."""
        given = ((item.name, getattr(self, item.name), item) for item in fields(self))
        return {
            name: value
            for name, value, item in given
            if name not in _RULE_FIELDS and value not in (item.default, None, {}, ())
        }


class Faults:
    """The rules in force, in the order they were added.

    A request takes the first matching rule, and with it later matching rules as far as they can be combined: one rule
    decides how an answer ends (an error, a cut, a stall, …), others may slow it, flip bytes or run an action. A rule
    that is not taken keeps its count, so two rules with different errors make two requests in turn fail.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[list[Any]] = []

    def append(self, fault: Fault) -> None:
        """Put a rule in force, after those already there."""
        with self._lock:
            self._rules.append([fault, 0])

    def add(self, path: str = "", **rule: Any) -> Fault:
        """Put ``Fault(path, **rule)`` in force and return it."""
        fault = Fault(path, **rule)
        self.append(fault)
        return fault

    def clear(self) -> None:
        """Behave again."""
        with self._lock:
            self._rules.clear()

    def hits(self, fault: Fault) -> int:
        """How many requests a rule was applied to."""
        with self._lock:
            return sum(max(0, seen - fault.skip) for rule, seen in self._rules if rule is fault)

    def __iter__(self) -> Iterator[Fault]:
        with self._lock:
            return iter([rule for rule, _ in self._rules])

    def take(self, server: str, method: str, path: str) -> Fault:
        """Combine the rules that apply to a request, and count it against them."""
        combined: dict[str, Any] = {}
        with self._lock:
            for entry in self._rules:
                fault, seen = entry
                if not fault.matches(server, method, path):
                    continue
                if fault.times is not None and seen - fault.skip >= fault.times:
                    continue
                effects = fault.effects
                if seen >= fault.skip:
                    if _clash(combined, effects):
                        continue
                    combined |= effects
                entry[1] = seen + 1
        return replace(Fault(), **combined)


def _clash(taken: Mapping[str, Any], effects: Mapping[str, Any]) -> bool:
    return bool(taken.keys() & effects.keys()) or bool(_ENDINGS & taken.keys() and _ENDINGS & effects.keys())
