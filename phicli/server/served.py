"""A model of the server, and a request that waits for it; guarded by the lock of the table that holds them."""

from __future__ import annotations

import os

from phicli.errors import PhiError
from phicli.plan.locate import LocatedModel
from phicli.server.loading import Loaded


class Served:
    """A model from its first request to the end of its engines.

    Attributes:
        located: the file.
        loaded: the model; None while it loads.
        coming: the same, while it loads, too.
        leases: the numbers of those that take a slot.
        loans: the numbers of those that take none.
        idle_since: of :func:`time.monotonic`; None while it is used.
        idle_at: the same in seconds since 1970.
        makes_way: it gets no more leases, so that another model can have its memory.
    """

    def __init__(self, located: LocatedModel, key: str) -> None:
        self.located, self.key = located, key
        self.loaded: Loaded | None = None
        self.coming: Loaded | None = None
        self.leases: set[int] = set()
        self.loans: set[int] = set()
        self.ready_at = 0.0
        self.idle_since: float | None = None
        self.idle_at: float | None = None
        self.has_answered = self.makes_way = False

    @property
    def name(self) -> str:
        """What people call it."""
        return self.located.reference if self.located.variant else self.located.name

    @property
    def is_used(self) -> bool:
        """Whether it has leases or loans."""
        return bool(self.leases or self.loans)


class Waiter:
    """A request that waits; ``lent`` for a loan."""

    def __init__(self, *, lent: bool) -> None:
        self.lent = lent
        self.error: PhiError | None = None


def key_of(located: LocatedModel) -> str:
    """The same for all names of a file, and another one when the file has changed."""
    try:
        status = located.path.stat()
    except OSError:  # whoever reads the file says why
        return os.path.realpath(located.path)
    return f"{os.path.realpath(located.path)}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"


def user_of(name: str, *, lent: bool) -> str:
    """A model in use, with who uses it where that is known."""
    return f"{name} (by phi chat)" if lent else name
