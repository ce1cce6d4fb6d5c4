"""What answers a batch: a model of this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

from phicli.adapters.registry import name_of as adapter_name
from phicli.answering.adapter_mark import AdapterMark
from phicli.answering.asked import Asked
from phicli.answering.asking import Asking, NoToolTrainingError
from phicli.answering.calling import was_trained
from phicli.answering.engine_starts import gpus_for
from phicli.batch.options import BatchOptions
from phicli.catalog.display_name import with_quant
from phicli.catalog.names import PLUS
from phicli.engine.abilities import Ability, abilities_of_sampling
from phicli.engine.starting import require
from phicli.engine.types import Sampling
from phicli.fit.loading import Room
from phicli.fit.too_large import on_too_large
from phicli.gguf_file.header import read_header
from phicli.hardware.cpu import physical_cores
from phicli.hardware.memory import available_memory
from phicli.hub.verified import hash_once
from phicli.jobs.notices import Notices
from phicli.jobs.opening import open_pool
from phicli.jobs.planning import JobPlan, Needs, Place, plan_job
from phicli.jobs.running import Worker
from phicli.jobs.watch import Watch
from phicli.jobs.workers import Outcome, PoolWorker
from phicli.plan.chat_options import ChatOptions
from phicli.plan.identify import choose_format
from phicli.plan.locate import LocatedModel
from phicli.records.tuned import BATCH
from phicli.records.tuned_files import find_tuned
from phicli.units import how_far

USUAL_TOKENS: Final = 2048
"""The most tokens of an answer where nothing was typed: a batch runs while nobody watches."""
USUAL_REASONING_TOKENS: Final = 8192
"""The same for a model that reasons first."""


class Target(Protocol):
    """Answers a batch."""

    @property
    def name(self) -> str:
        """Its name, as results have it."""

    def about(self, watch: Watch) -> Mapping[str, Any]:
        """What the answers depend on: which model it is."""

    def open(self, needs: Needs, watch: Watch) -> contextlib.AbstractContextManager[Sequence[Worker[Asked, Outcome]]]:
        """The workers that answer; they end with the context.

        Raises:
            PhiError: it cannot answer.
        """


def notices_to(watch: Watch) -> Notices:
    """What passes on the notices of answers to ``watch``."""
    return Notices(lambda text: watch.say(f"note: {text}"))


@dataclass(frozen=True, slots=True)
class LocalTarget:
    """A model of this machine."""

    model: LocatedModel
    wanted: BatchOptions

    @property
    def name(self) -> str:
        """The name of the model with its quantization, where the catalog knows it, and its adapters."""
        name = with_quant(self.model.name, self.model.quant) if self.model.variant else self.model.name
        adapters = (one.typed_as(Path(adapter_name(one.path)).name) for one in self.wanted.options.adapters)
        return PLUS.join((name, *adapters))

    def about(self, watch: Watch) -> Mapping[str, Any]:
        """The hash of the file, and what tells its adapters from others.

        Raises:
            PhiError: the file is not a model that can be read.
        """
        read_header(self.model.path)
        adapters = AdapterMark(self.wanted.options.adapters).text()
        return {"sha256": self._sha256(watch), **({"adapters": adapters} if adapters else {})}

    def check(self) -> None:
        """Return if the model and its engine can do what is asked of every answer.

        Raises:
            UsageError: they cannot.
        """
        answers, engine = self.wanted.answers, self.wanted.engine.name
        if answers.form is not None:
            for constraint in answers.form.constraints(self._options().max_tokens):
                for ability in abilities_of_sampling(Sampling(constraint=constraint)):
                    require(engine, ability)
        if answers.tools and answers.tool_choice != "none":
            header = read_header(self.model.path)
            if not was_trained(choose_format(header, self.model.variant).name, self.model.variant):
                raise NoToolTrainingError(self.model.name)
            if answers.tool_choice != "auto":
                require(engine, Ability.LARK)

    @contextlib.contextmanager
    def open(self, needs: Needs, watch: Watch) -> Iterator[Sequence[Worker[Asked, Outcome]]]:
        """The model, loaded."""
        self.check()
        options = self._options()
        planned = self._planned(options, replace(needs, max_tokens=options.max_tokens), watch)
        for text in planned.load.notices:
            watch.say(f"note: {text}")
        with open_pool(planned, on_tick=self._loading(watch)) as pool:
            asking = Asking(pool, planned.load, self.wanted.answers.retries)
            yield [PoolWorker(self.name, asking, planned.slots, on_notice=notices_to(watch).notice)]

    def _planned(self, options: ChatOptions, needs: Needs, watch: Watch) -> JobPlan:
        engine = self.wanted.engine
        place = Place(engine, Room(available_memory(), gpus_for(engine, options)), physical_cores())
        tuned = find_tuned(self.model.path, self._sha256(watch), engine=engine).current
        too_large = on_too_large(watch.say, check=self.wanted.memory_check)
        best = tuned.winners[BATCH] if tuned else None
        return plan_job(self.model, options, needs, place, best=best, on_too_large=too_large)

    def _options(self) -> ChatOptions:
        options = self.wanted.options
        if options.max_tokens is not None:
            return options
        chosen = choose_format(read_header(self.model.path), self.model.variant)
        return replace(options, max_tokens=USUAL_REASONING_TOKENS if chosen.reasoning else USUAL_TOKENS)

    def _sha256(self, watch: Watch) -> str:
        return hash_once(self.model.path, lambda what, done, total: watch.show(how_far(what, done, total)))

    def _loading(self, watch: Watch) -> Callable[[float], None]:
        return lambda waited_s: watch.show(f"loading {self.name}: {waited_s:.0f} s")
