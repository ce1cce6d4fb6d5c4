"""What an evaluation found, and how two of them compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from phicli.bench.evaluation.estimates import (
    difference_over_lines,
    exponential,
    loss_per_token,
    p_value_over_lines,
    ratio_of_sums,
    share_of_lines,
)
from phicli.bench.evaluation.measures import (
    f1_differences,
    f1_parts,
    loss_differences,
    loss_parts,
    pairs_of,
    right_differences,
    right_parts,
)
from phicli.bench.evaluation.remote import RemoteSubject
from phicli.bench.evaluation.types import ItemResult
from phicli.catalog.display_name import name_of
from phicli.engine.starting import DEFAULT_ENGINE
from phicli.records.run import Subject
from phicli.records.statistics import CONFIDENCE, Interval


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One model asked the questions of one set.

    ``total`` is how many were to be asked, ``results`` has those that were, in the order of the set. A question that
    failed, because the engine could not take it or it did not fit, is neither right nor wrong. ``settings`` are
    those of the last sitting: prompt format, system message, sampling, seed, and how the engine was set. ``wall_s`` are
    the seconds of asking over all ``sittings``, without loading and without reading expected answers. ``made_at`` is
    ISO 8601, UTC. ``not_scored`` says why the probability of expected answers cannot be measured; empty where it can.
    """

    run_id: str
    made_at: str
    subject: Subject | RemoteSubject
    set_name: str
    set_sha256: str
    total: int
    results: tuple[ItemResult, ...]
    settings: Mapping[str, Any]
    hardware: Mapping[str, Any]
    wall_s: float
    sittings: int = 1
    not_scored: str = ""

    @property
    def label(self) -> str:
        """The model with its quantization and adapters; the engine too where it is not the default one."""
        engine, name = self.subject.engine, name_of(self.subject)
        return name if engine == DEFAULT_ENGINE or isinstance(self.subject, RemoteSubject) else f"{name} ({engine})"

    @property
    def right(self) -> int:
        """How many replies are right."""
        return sum(result.verdict.right for result in self.results)

    @property
    def failed(self) -> int:
        """How many questions have no reply."""
        return sum(result.failed for result in self.results)

    @property
    def answered(self) -> int:
        """How many questions have a reply, right or wrong."""
        return len(self.results) - self.failed

    @property
    def complete(self) -> bool:
        """All questions were asked, and all expected answers read where that can be done."""
        return len(self.results) == self.total and not self.unread

    @property
    def cut(self) -> int:
        """How many replies reached the maximum number of tokens: they may have become right."""
        return sum(result.reply.finish_reason == "length" for result in self.results)

    @property
    def accuracy(self) -> Interval | None:
        """The share of right replies among those there are, with its interval; None when there are none."""
        return share_of_lines(right_parts(self.results))

    @property
    def has_talks(self) -> bool:
        """The questions are from training data."""
        return any(result.item.talk is not None for result in self.results)

    @property
    def has_longer(self) -> bool:
        """Some replies may be longer than the limit, because the expected answer is."""
        limit = self.settings.get("max_tokens") or 0
        return any(one.item.talk is not None and (one.item.max_tokens or 0) > limit for one in self.results)

    @property
    def f1(self) -> Interval | None:
        """The mean F1 of the words of the replies there are; None for questions that are not from training data."""
        return share_of_lines(f1_parts(self.results))

    @property
    def scored(self) -> int:
        """How many expected answers have a known probability."""
        return sum(result.expected is not None and not result.expected.failed for result in self.results)

    @property
    def unread(self) -> int:
        """How many expected answers would have to be read yet."""
        waiting = (result.item.talk is not None and result.expected is None for result in self.results)
        return 0 if self.not_scored else sum(waiting)

    @property
    def expected_tokens(self) -> int:
        """Tokens of the expected answers whose probability is known."""
        return sum(result.expected.tokens for result in self.results if result.expected)

    @property
    def perplexity(self) -> Interval | None:
        """e to the mean negative log-probability of a token of the expected answers; None where none is known."""
        return exponential(loss_per_token(loss_parts(self.results)))

    @property
    def generated_tokens(self) -> int:
        """Tokens of all replies, reasoning included."""
        return sum(result.reply.completion_tokens for result in self.results)

    @property
    def generated_tps(self) -> float | None:
        """Generated tokens per second, all slots together, reading the questions included; None without a time."""
        return self.generated_tokens / self.wall_s if self.wall_s > 0 else None

    def to_data(self) -> dict[str, Any]:
        """Its form in ``--json`` and in the history."""
        accuracy, f1, perplexity = self.accuracy, self.f1, self.perplexity
        about = self.subject.to_data()
        return {
            "run_id": self.run_id,
            "made_at": self.made_at,
            **about,
            "set": self.set_name,
            "set_sha256": self.set_sha256,
            "items": self.total,
            "asked": len(self.results),
            "right": self.right,
            "failed": self.failed,
            "cut": self.cut,
            "accuracy": asdict(accuracy) if accuracy else None,
            "f1": asdict(f1) if f1 else None,
            "perplexity": asdict(perplexity) if perplexity else None,
            "scored": self.scored,
            "expected_tokens": self.expected_tokens,
            "not_scored": self.not_scored,
            "generated_tokens": self.generated_tokens,
            "generated_tps": self.generated_tps,
            "wall_s": self.wall_s,
            "sittings": self.sittings,
            "complete": self.complete,
            "settings": dict(self.settings),
            "hardware": dict(self.hardware),
            "results": [result.to_data() for result in self.results],
        }


@dataclass(frozen=True, slots=True)
class Paired:
    """Two models on the same questions: what counts are those that only one of them got right.

    ``difference`` is the accuracy of ``second`` less that of ``first``, on the ``items`` that both answered; its
    interval is from :func:`difference_over_lines`, without ends for several answers of one line. ``p_value`` is from
    :func:`p_value_over_lines`. ``f1`` is the mean F1 of ``second`` less that of ``first`` on the same questions.
    ``perplexity_ratio`` is that of the expected answers with ``second`` over that with ``first``; None where the two
    models split answers into different tokens.
    """

    first: str
    second: str
    items: int
    only_first: int
    only_second: int
    difference: float
    low: float | None
    high: float | None
    p_value: float
    confidence: float = CONFIDENCE
    f1: Interval | None = None
    perplexity_ratio: Interval | None = None

    def to_data(self) -> dict[str, Any]:
        """Its form in ``--json``."""
        data = asdict(self)
        return {**data, "f1_difference": data.pop("f1")}


def paired(first: Evaluation, second: Evaluation) -> Paired | None:
    """The comparison of two evaluations of one set; None where there is no question that both answered."""
    pairs = pairs_of(first.results, second.results)
    differences = right_differences(pairs)
    found = difference_over_lines(differences)
    if found is None:
        return None
    return Paired(
        first=first.label,
        second=second.label,
        items=len(differences),
        only_first=sum(one.total < 0 for one in differences),
        only_second=sum(one.total > 0 for one in differences),
        difference=found.estimate,
        low=found.low,
        high=found.high,
        p_value=p_value_over_lines(differences),
        f1=difference_over_lines(f1_differences(pairs)),
        perplexity_ratio=exponential(ratio_of_sums(loss_differences(pairs))),
    )
