"""What answers a batch: models of remotes, which share the work."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from phicli.answering.asked import Asked
from phicli.batch.options import BatchOptions
from phicli.batch.target import USUAL_REASONING_TOKENS, USUAL_TOKENS, notices_to
from phicli.engine.types import Sampling
from phicli.jobs.planning import Needs
from phicli.jobs.running import Worker
from phicli.jobs.watch import Watch
from phicli.jobs.workers import Outcome, RemoteWorker
from phicli.remotes.asking import RemoteAsking
from phicli.remotes.kinds import kind_of
from phicli.remotes.listing import variant_meant
from phicli.remotes.opening import open_remote, usual_sampling
from phicli.remotes.types import RemoteModelName
from phicli.units import listed

_MOST_NAMES = 4


@dataclass(frozen=True, slots=True)
class RemoteTarget:
    """Models of remotes; a row is asked the one that is free, and another one where that fails for good."""

    models: tuple[RemoteModelName, ...]
    wanted: BatchOptions

    @property
    def name(self) -> str:
        """The names of the models."""
        return listed([model.reference for model in self.models], _MOST_NAMES)

    def about(self, watch: Watch) -> Mapping[str, Any]:
        """The names that the remotes have for their models: where they are makes no difference."""
        del watch
        return {"remote": sorted({model.model for model in self.models})}

    @contextlib.contextmanager
    def open(self, needs: Needs, watch: Watch) -> Iterator[Sequence[Worker[Asked, Outcome]]]:
        """A worker for each remote; nothing is sent before it is asked."""
        notices = notices_to(watch)
        with contextlib.ExitStack() as stack:
            workers = []
            for named in self.models:
                slots = min(needs.parallel or kind_of(named.remote).parallel, max(needs.requests or 1, 1))
                model = stack.enter_context(open_remote(named, usual=_usual(named), connections=slots))
                asking = RemoteAsking(model, self.wanted.answers.retries)
                workers.append(RemoteWorker(named.reference, asking, slots, on_notice=notices.notice))
            yield workers


def _usual(named: RemoteModelName) -> Sampling:
    """The sampling of the model, and the limit of its answers where nothing was typed."""
    variant = variant_meant(named.model)
    known_to_answer_at_once = variant is not None and not variant.reasoning
    most = USUAL_TOKENS if known_to_answer_at_once else USUAL_REASONING_TOKENS
    return replace(usual_sampling(named.model), max_tokens=most)
