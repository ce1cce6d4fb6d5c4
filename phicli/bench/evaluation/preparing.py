"""Decides how a model of this machine is loaded and asked for an evaluation."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from phicli.answering.asking import Asking
from phicli.answering.calling import was_trained
from phicli.bench.evaluation.scoring import AnsweringAndScoring, ScoringWorker
from phicli.bench.evaluation.types import Item
from phicli.bench.launch import check_build
from phicli.bench.measuring.surroundings import Surroundings
from phicli.catalog.load import catalog
from phicli.catalog.resolve import known_by_name
from phicli.engine.abilities import Ability
from phicli.engine.settings import EngineSettings
from phicli.engine.starting import DEFAULT_ENGINE, EngineChoice, OnTick, StartEngine, can, start_engine
from phicli.engine.types import Adapter, LocalEngine, Sampling
from phicli.errors import UsageError
from phicli.fit.loading import Room
from phicli.fit.too_large import OnTooLarge, refuse
from phicli.gguf_file.header import read_header
from phicli.jobs.notices import Notices
from phicli.jobs.opening import open_pool
from phicli.jobs.planning import JobPlan, Needs, Place, plan_job
from phicli.plan.chat_options import ChatOptions
from phicli.plan.identify import PLAIN, TEMPLATE, choose_format
from phicli.plan.locate import LocatedModel
from phicli.records.run import Subject
from phicli.records.tuned import Winner

MAX_TOKENS: Final = 256
REASONING_MAX_TOKENS: Final = 2048


@dataclass(frozen=True, slots=True)
class EvalOptions:
    """What is asked, and how: a file of questions or the name of a built-in set.

    ``max_tokens`` of a reply and ``context_tokens`` are left to the model where None. ``settings`` are those of the
    engine that were asked for, by field. ``limit`` asks only the first questions; ``restart`` asks all again, and
    ``can_restart`` says whether the command has an option for it.
    Without ``memory_check`` a model that seems too large for the memory is loaded anyway. ``adapters`` are used with
    every model of this machine, beside its own.
    """

    question_set: str | None
    max_tokens: int | None = None
    context_tokens: int | None = None
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    engines: tuple[str, ...] = (DEFAULT_ENGINE,)
    llama_server: Path | None = None
    limit: int | None = None
    restart: bool = False
    seed: int = 1
    memory_check: bool = True
    adapters: tuple[Adapter, ...] = ()
    can_restart: bool = True


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """A model of this machine that is about to be asked, with everything decided."""

    subject: Subject
    job: JobPlan
    options: EvalOptions
    max_tokens: int

    @property
    def slots(self) -> int:
        """Questions at a time."""
        return self.job.slots

    @property
    def settings(self) -> EngineSettings:
        """How the engine is set."""
        return self.job.settings

    @property
    def not_scored(self) -> str:
        """Why the probability of expected answers cannot be measured; empty where it can."""
        engine = self.subject.engine
        return "" if can(engine, Ability.SCORES) else f"{engine} does not report the probabilities of tokens"

    @property
    def sampling(self) -> Sampling:
        """Greedy; the seed makes no difference to that, and is recorded."""
        return Sampling(temperature=0.0, seed=self.options.seed, max_tokens=self.max_tokens)

    def key_data(self) -> dict[str, Any]:
        """Which model it is, whatever it is called."""
        subject, options = self.subject, self.options
        adapters = ",".join(one.mark for one in subject.adapters)
        return {
            "model": subject.sha256, "size": subject.size_bytes, "engine": subject.engine, "build": subject.build,
            "asked": {"context": options.context_tokens, "settings": dict(options.settings)},
            **({"adapters": adapters} if adapters else {}),
        }  # fmt: skip

    def asking_data(self) -> dict[str, Any]:
        """What the replies depend on besides the questions and the model."""
        return {
            "prompt_format": self.job.load.format.name,
            "system": self.job.load.system,
            "temperature": self.sampling.temperature,
            "seed": self.sampling.seed,
            "max_tokens": self.max_tokens,
            "kv_type": self.settings.kv_type,
            "flash_attention": self.settings.flash_attention,
        }

    def settings_data(self) -> dict[str, Any]:
        """All settings, as ``--json`` shows them."""
        where = {"context_tokens": self.job.load.context.first_tokens, "slots": self.slots}
        return {**self.asking_data(), **self.settings.to_data(), **where}

    @contextlib.contextmanager
    def opened(
        self, notices: Notices, *, on_tick: OnTick | None = None, start_engine: StartEngine = start_engine
    ) -> Iterator[AnsweringAndScoring]:
        """Who answers, with the model loaded.

        Args:
            notices: gets what a person should know.
            on_tick: called about ten times a second while the model loads, with the seconds waited.
            start_engine: starts engines; tests give their own.

        Raises:
            BuildChangedError: the engine has another build than the subject; each answer may raise it too.
            IntegrityError: an adapter has changed since the command began.
            PhiError: as :func:`phicli.jobs.opening.open_pool`.
        """

        def check(engine: LocalEngine) -> None:
            check_build(engine.build, self.subject.build or engine.build)

        for adapter in self.subject.adapters:
            adapter.check()
        load = replace(self.job.load, sampling=self.sampling)
        with open_pool(self.job, check=check, on_tick=on_tick, start_engine=start_engine) as pool:
            name, notice = self.subject.model, notices.notice
            asking = Asking(pool, load, brake=False, keeps_template=False, corrects=False)
            worker = AnsweringAndScoring(name, asking, self.slots, on_notice=notice)
            worker.scoring = None if self.not_scored else ScoringWorker(name, pool, load, self.slots, notice)
            yield worker


def prepare(
    subject: Subject, items: Sequence[Item], options: EvalOptions, around: Surroundings, *,
    best: Winner | None = None, on_too_large: OnTooLarge = refuse,
) -> EvaluationPlan:  # fmt: skip
    """Decide how ``subject`` is loaded and asked, as :func:`phicli.jobs.planning.plan_job` does.

    Raises:
        UsageError: an option makes no sense with this model.
        UnsupportedModelError: the engine cannot run the file.
        DoesNotFitError: the memory is too small.
        PhiError: the file cannot be read.
    """
    place = Place(
        EngineChoice(subject.engine, options.llama_server), Room(around.memory, around.gpus), around.cpu.physical_cores
    )
    chat = ChatOptions(
        temperature=0.0, seed=options.seed, context_tokens=options.context_tokens, engine=options.settings,
        adapters=subject.used_adapters,
    )  # fmt: skip
    most = options.max_tokens or (REASONING_MAX_TOKENS if _reasons(subject) else MAX_TOKENS)
    longest_bytes = max(item.size_bytes for item in items)
    longest_tokens = max(most, *(item.max_tokens or 0 for item in items))
    needs = Needs(longest_bytes, longest_tokens, len(items))
    job = plan_job(located(subject), chat, needs, place, best=best, on_too_large=on_too_large)
    _require_tools(subject, items, job)
    return EvaluationPlan(subject, job, options, most)


def _require_tools(subject: Subject, items: Sequence[Item], job: JobPlan) -> None:
    """Return if no question declares tools, or the model was trained to call them.

    Raises:
        UsageError: it was not.
    """
    told = next((item for item in items if item.talk is not None and item.talk.tools), None)
    if told is not None and not was_trained(job.load.format.name, catalog().variant(subject.variant_id)):
        raise UsageError(
            f"{subject.model} was not trained to call tools, but {told.item_id} declares some",
            "name a model that was, such as phi-4-mini, or leave out these lines",
        )


def located(subject: Subject) -> LocatedModel:
    """``subject`` as the rest of ``phi`` knows files."""
    variant = catalog().variant(subject.variant_id)
    return LocatedModel(subject.model, subject.model, subject.path, variant, subject.quant)


def _reasons(subject: Subject) -> bool:
    """Whether the prompt format that the model gets lets it reason."""
    header = read_header(subject.path)
    chosen = choose_format(header, catalog().variant(subject.variant_id) or known_by_name(header.name))
    return chosen.reasoning and chosen.name not in (TEMPLATE, PLAIN)
