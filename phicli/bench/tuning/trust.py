"""Whether the result of a search can be trusted, judged by what other programs did meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from phicli.bench.measuring.surroundings import Surroundings, busy_warning, spoilt
from phicli.bench.tuning.types import SearchOutcome

_ANEW: Final = "the results may be due to chance and are not saved; close other programs and tune again; until then"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What may be shown of a search as ``outcome``, words for a machine that was busy, and whether it is ``trusted``.

    Of a search that is not, nothing is kept: neither its winners, nor that nothing beat the defaults, nor its speeds
    for ``phi recommend``. Speeds measured between the work of others would take the place of cleaner ones of the same
    file, and be called *measured* until somebody benches it again; without them the recommendation has those from
    before, or an estimate that says how far it may be off. Only the history has the search, with the warning.
    """

    outcome: SearchOutcome
    warning: str | None
    trusted: bool


def judged(
    outcome: SearchOutcome, around: Surroundings, used_by_others: float | None, *, earlier: bool = False
) -> Judgement:
    """What of ``outcome`` can be trusted on a machine that others used as well.

    Winners that were found between the work of others become the defaults again.

    Args:
        outcome: of the search.
        around: the machine.
        used_by_others: processors that others kept busy meanwhile, on average; None if it is unknown.
        earlier: whether there are winners of an earlier search, which then stay.
    """
    why = spoilt(around, used_by_others)
    if why is None:
        return Judgement(outcome, busy_warning(around, used_by_others), trusted=True)
    used = "the settings tuned earlier are used" if earlier else "the defaults are used"
    return Judgement(outcome.with_defaults(), f"{why}, so {_ANEW} {used}", trusted=False)
