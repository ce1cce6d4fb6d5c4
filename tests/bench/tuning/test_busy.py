"""What tuning found while other programs were at work."""

from __future__ import annotations

from phicli.bench.measuring.surroundings import Surroundings
from phicli.bench.tuning.search import Search
from phicli.bench.tuning.space import Space, untuned, values_to_try
from phicli.bench.tuning.types import Outcome
from phicli.bench.types import BenchSettings
from phicli.commands.benching.tuning import judged
from phicli.fit.tuned import USES
from phicli.hardware.types import Cpu
from tests.fakes.tunable_machine import TunableMachine

AROUND = Surroundings(Cpu("Some CPU 9000", 2, 2), None, (), "Linux", None)


def searched(machine: TunableMachine) -> Outcome:
    values = values_to_try(2, 2, longest_prompt=700, repackable=True, given={})
    space = Space(untuned(2, "f16", lambda use: False), values, lambda use, settings: True)
    return Search(space, machine, budget_s=1e9, clock=machine.clock).run()


def one_thread_is_faster(settings: BenchSettings) -> float:
    """As with a program that keeps the other processor busy: every step waits for it."""
    return 1.0 if settings.threads == 1 else 7.0


BUSY = TunableMachine(prefill=one_thread_is_faster, decode=one_thread_is_faster, batched=one_thread_is_faster)


def test_on_a_quiet_machine_winners_are_winners() -> None:
    found = searched(BUSY)
    assert found.results[USES[0]].winner.threads == 1
    assert judged(found, AROUND, 0.1) == (found, None)
    assert judged(found, AROUND, None) == (found, None)


def test_a_little_work_of_others_is_told_and_winners_stay() -> None:
    found = searched(BUSY)
    kept, said = judged(found, AROUND, 0.3)
    assert kept == found
    assert said is not None
    assert "busy" in said


def test_what_won_while_others_were_at_work_is_not_kept() -> None:
    found = searched(BUSY)
    kept, said = judged(found, AROUND, 0.9)
    assert not kept.changes
    assert all(one.winner == one.default and one.ratio == 1 for one in kept.results.values())
    assert kept.trials == found.trials
    assert said is not None
    assert said.startswith("the machine was busy: other programs used 0.9 of 2 processors")
    assert said.endswith("the defaults are used")
    _, said = judged(found, AROUND, 0.9, earlier=True)
    assert said is not None
    assert said.endswith("what was tuned before is used")


def test_defaults_that_stay_need_no_quiet_machine() -> None:
    found = searched(TunableMachine())
    kept, said = judged(found, AROUND, 0.9)
    assert kept == found
    assert said is not None
    assert "busy" in said
