"""Models of remotes in an evaluation."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from phicli.bench.evaluation.preparing import MAX_TOKENS, REASONING_MAX_TOKENS, EvalOptions
from phicli.bench.evaluation.types import Item
from phicli.catalog.types import Variant
from phicli.engine.starting import OnTick
from phicli.jobs.notices import Notices
from phicli.jobs.workers import RemoteWorker
from phicli.records.adapters import MeasuredAdapter
from phicli.remotes.asking import RemoteAsking
from phicli.remotes.keys import address_of
from phicli.remotes.kinds import kind_of
from phicli.remotes.listing import variant_meant
from phicli.remotes.opening import open_remote
from phicli.remotes.types import RemoteModelName


@dataclass(frozen=True, slots=True)
class RemoteSubject:
    """A model of a remote, as the history saves what was found of it.

    ``engine`` is the address, as with the endpoints of ``phi bench``; there is no file, and what runs it is unknown.
    """

    named: RemoteModelName
    variant: Variant | None

    @property
    def model(self) -> str:
        """What is typed: ``NAME/MODEL``."""
        return self.named.reference

    @property
    def quant(self) -> None:
        """Unknown."""
        return

    @property
    def adapters(self) -> tuple[MeasuredAdapter, ...]:
        """None that are known."""
        return ()

    @property
    def engine(self) -> str:
        """The address of the remote."""
        return self.named.remote.url

    @property
    def build(self) -> str:
        """Unknown."""
        return ""

    def to_data(self) -> dict[str, Any]:
        """Its form in ``--json`` and in the history: what is not known of it is null."""
        remote = self.named.remote
        return {
            "model": self.model, "quant": None, "variant_id": self.variant.id if self.variant else None, "path": None,
            "size_bytes": None, "sha256": None, "engine": self.engine, "build": self.build,
            "remote": {"name": remote.name, "url": remote.url, "kind": remote.kind, "model": self.named.model},
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class RemotePlan:
    """A model of a remote that is about to be asked, with everything decided."""

    subject: RemoteSubject
    slots: int
    max_tokens: int
    seed: int

    @property
    def not_scored(self) -> str:
        """Why the probability of expected answers cannot be measured."""
        return "a remote does not report the probability of a given text"

    def key_data(self) -> dict[str, Any]:
        """Which model it is; whatever the remote is called; the file behind it is unknown."""
        named = self.subject.named
        return {"remote": {"url": named.remote.url, "kind": named.remote.kind, "model": named.model}}

    def asking_data(self) -> dict[str, Any]:
        """What the replies depend on besides the questions and the model."""
        return {"temperature": 0.0, "seed": self.seed, "max_tokens": self.max_tokens}

    def settings_data(self) -> dict[str, Any]:
        """All settings, as ``--json`` shows them."""
        return {**self.asking_data(), "slots": self.slots}

    @contextlib.contextmanager
    def opened(self, notices: Notices, *, on_tick: OnTick | None = None) -> Iterator[RemoteWorker]:
        """Who answers; nothing is sent before the first question.

        Raises:
            UsageError: the remote's address or key makes no sense.
        """
        del on_tick
        with open_remote(self.subject.named, connections=self.slots) as model:
            asking = RemoteAsking(model, brake=False, corrects=False)
            yield RemoteWorker(self.subject.model, asking, self.slots, on_notice=notices.notice)


def prepare_remote(named: RemoteModelName, items: Sequence[Item], options: EvalOptions) -> RemotePlan:
    """Decide how a model of a remote is asked: as many questions at a time as its kind takes.

    Raises:
        UsageError: its key is missing: that is found before any model is asked.
    """
    address_of(named.remote)
    variant = variant_meant(named.model)
    usual = REASONING_MAX_TOKENS if variant is not None and variant.reasoning else MAX_TOKENS
    slots = min(kind_of(named.remote).parallel, max(len(items), 1))
    return RemotePlan(RemoteSubject(named, variant), slots, options.max_tokens or usual, options.seed)
