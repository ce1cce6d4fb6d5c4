"""How the models of the server are, as plain data: for ``phi ps`` and for metrics."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from phicli.server.memory import resident
from phicli.server.served import Served
from phicli.server.types import NamedAdapter


@dataclass(frozen=True, slots=True)
class ModelState:
    """A model that is loading or loaded.

    Attributes:
        name: what a request calls it.
        phase: ``loading`` or ``ready``.
        path: of its file.
        planned_bytes: what its engines may take of the main memory, mapped weights included; 0 while that is not known.
        resident_bytes: what they have there now.
        own_bytes: the part of it that is theirs alone and is free when they end; 0 where the system does not report it.
        context_tokens: of each slot; None while it loads.
        limit_tokens: the most of a conversation; None while it loads.
        slots: answers at a time; None while it loads.
        running: answers that are made now.
        queued: requests that wait for it.
        loans: how often it is lent.
        idle_since: since when nobody uses it, in seconds since 1970; None while it is used.
        until: when it ends unless it is used, in seconds since 1970; None for never, and while it is used.
        pids: of its engines.
        build: of the engine.
        adapters: that are loaded with it, each with the scale that requests get; empty while it loads.
    """

    name: str
    phase: Literal["loading", "ready"]
    path: str
    planned_bytes: int
    resident_bytes: int
    own_bytes: int
    context_tokens: int | None
    limit_tokens: int | None
    slots: int | None
    running: int
    queued: int
    loans: int
    idle_since: float | None
    until: float | None
    pids: tuple[int, ...]
    build: str
    adapters: tuple[NamedAdapter, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """Its JSON form, as ``phi ps`` has it: times are in ISO 8601, and what is lent counts as running."""
        data = asdict(self)
        return {
            "model": data.pop("name"),
            "memory_bytes": self.resident_bytes or self.planned_bytes,
            **data,
            "running": self.running + self.loans,
            "idle_since": _iso(self.idle_since),
            "until": _iso(self.until),
            "adapters": [one.to_data() for one in self.adapters],
        }


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def state_of(served: Served, queued: int, keep_alive_s: float | None) -> ModelState:
    """The state of ``served``; nothing is asked of its engines."""
    loaded = served.loaded
    coming = served.coming
    shares = coming.shares.all() if coming else ()
    pids = tuple(share.pid for share in shares if share.pid is not None)
    sizes = [resident(pid) for pid in pids]
    idle_at = served.idle_at if loaded and not served.is_used else None
    weights = max((share.weights_bytes for share in shares), default=0)
    running = loaded.model.engines.started() if loaded else ()
    return ModelState(
        name=served.name,
        phase="ready" if loaded else "loading",
        path=str(served.located.path),
        planned_bytes=weights + sum(share.other_bytes for share in shares),
        resident_bytes=max((total - own for total, own in sizes), default=0) + sum(own for _, own in sizes),
        own_bytes=sum(own for _, own in sizes),
        context_tokens=loaded.settings.context_tokens if loaded else None,
        limit_tokens=loaded.plan.context.limit_tokens if loaded else None,
        slots=loaded.slots if loaded else None,
        running=len(served.leases),
        queued=queued,
        loans=len(served.loans),
        idle_since=idle_at,
        until=None if idle_at is None or keep_alive_s is None else idle_at + keep_alive_s,
        pids=pids,
        build=next((engine.build for engine in running), ""),
        adapters=loaded.adapters if loaded else (),
    )
