"""What becomes of a search while other programs were at work."""

from __future__ import annotations

from phicli.bench.measuring.surroundings import Surroundings
from phicli.bench.tuning.search import Search
from phicli.bench.tuning.space import Space, values_to_try
from phicli.bench.tuning.trust import Judgement, judged
from phicli.bench.tuning.types import SearchOutcome
from phicli.engine.settings import EngineSettings
from phicli.hardware.types import Cpu
from phicli.records.tuned import USES
from tests.fakes.tunable_machine import TunableMachine

AROUND = Surroundings(Cpu("Some CPU 9000", 2, 2), None, (), "Linux", None)


def searched(machine: TunableMachine) -> SearchOutcome:
    values = values_to_try(2, 2, longest_prompt=700, repackable=True, given={})
    space = Space(EngineSettings.for_cores(2), values, lambda use, settings: True)
    return Search(space, machine, budget_s=1e9, clock=machine.clock).run()


def one_thread_is_faster(settings: EngineSettings) -> float:
    """As with a program that keeps the other processor busy: every step waits for it."""
    return 1.0 if settings.threads == 1 else 7.0


BUSY = TunableMachine(prefill=one_thread_is_faster, decode=one_thread_is_faster, batched=one_thread_is_faster)


def test_on_a_quiet_machine_winners_are_winners() -> None:
    found = searched(BUSY)
    assert found.results[USES[0]].winner.threads == 1
    for used in (0.1, None):
        assert judged(found, AROUND, used) == Judgement(found, None, trusted=True)


def test_a_little_work_of_others_is_told_and_winners_stay() -> None:
    found = searched(BUSY)
    said = judged(found, AROUND, 0.3)
    assert (said.outcome, said.trusted) == (found, True)
    assert said.warning is not None
    assert "busy" in said.warning


def test_what_won_while_others_were_at_work_is_not_trusted() -> None:
    found = searched(BUSY)
    said = judged(found, AROUND, 0.9)
    assert not said.trusted
    assert not said.outcome.changes
    assert all(one.winner == one.default and one.ratio == 1 for one in said.outcome.results.values())
    assert said.outcome.trials == found.trials
    assert said.warning is not None
    assert said.warning.startswith("the machine was busy: other programs used 0.9 of 2 processors")
    assert said.warning.endswith("the defaults are used")


def test_neither_is_that_the_defaults_stay() -> None:
    """Winners of an earlier search would be lost by it."""
    found = searched(TunableMachine())
    assert not found.changes
    said = judged(found, AROUND, 0.9, earlier=True)
    assert (said.outcome, said.trusted) == (found, False)
    assert said.warning is not None
    assert said.warning.endswith("the settings tuned earlier are used")
