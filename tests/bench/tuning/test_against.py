"""Another engine against the default one, on machines that keep their own clock."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from phicli.bench.tuning.against import EngineDuel, compare_engines
from phicli.bench.tuning.costs import profiles
from phicli.bench.tuning.types import Compared, Job, Trial
from phicli.engine.settings import EngineSettings
from phicli.errors import EngineError
from phicli.records.tuned import BATCH, CONVERSATION, ONE_ANSWER, USES
from tests.fakes.tunable_machine import TunableMachine

SETTINGS = EngineSettings(2)


@dataclass
class Engine:
    """An engine on such a machine; ``log`` is shared, and has what was started and ended."""

    name: str
    machine: TunableMachine
    log: list[str]

    def __call__(self, settings: EngineSettings, job: Job) -> Trial:
        self.log.append(f"{self.name} {settings.threads}")
        return self.machine(settings, job)

    def close(self) -> None:
        self.log.append(f"{self.name} ends")


def compared(
    other: TunableMachine, *, threads: dict[str, int] | None = None, log: list[str] | None = None
) -> dict[str, Compared]:
    said = [] if log is None else log
    settings = {use: (SETTINGS, EngineSettings((threads or {}).get(use, 2))) for use in USES}
    first = Engine("first", TunableMachine(noise=0.01), said)
    found = compare_engines(first, Engine("second", other, said), settings, profiles(), lambda _: None)
    return {one.use: one for one in found}


def times(factor: float) -> TunableMachine:
    def by(_: EngineSettings) -> float:
        return factor

    return TunableMachine(prefill=by, decode=by, batched=by, start=by, noise=0.01)


def test_one_that_is_faster_wins_and_one_that_is_not_loses() -> None:
    won, lost = compared(times(0.5)), compared(times(1.5))
    assert {one.verdict for one in won.values()} == {"won"}
    assert {one.verdict for one in lost.values()} == {"lost"}
    assert won[CONVERSATION].ratio == pytest.approx(2, rel=0.05)
    assert len(lost[CONVERSATION].rounds) == 1, "nothing is gained by more rounds"


def test_equal_engines_are_not_told_apart_by_chance() -> None:
    found = compared(times(1.0))
    assert "won" not in {one.verdict for one in found.values()}
    assert len(found[ONE_ANSWER].rounds) <= 4


def test_each_use_is_judged_by_what_it_needs() -> None:
    """A slow start counts for one answer; requests side by side count for many requests."""

    def slow(_: EngineSettings) -> float:
        return 20.0

    def fast(_: EngineSettings) -> float:
        return 0.5

    found = compared(TunableMachine(start=slow, decode=fast, batched=slow))
    assert (found[ONE_ANSWER].verdict, found[CONVERSATION].verdict) == ("lost", "won")
    assert found[BATCH].verdict == "lost"


def test_one_engine_is_loaded_at_a_time_and_they_take_turns_in_being_first() -> None:
    log: list[str] = []
    compared(times(0.9), log=log)
    assert log[:8] == [
        "first 2", "first ends", "second 2", "second ends", "second 2", "second ends", "first 2", "first ends",
    ]  # fmt: skip


def test_each_use_runs_in_its_own_settings() -> None:
    log: list[str] = []
    found = compared(times(0.5), threads={BATCH: 4}, log=log)
    assert {"second 2", "second 4"} <= set(log)
    assert len(found[BATCH].rounds) == 2


def test_an_engine_that_fails_is_an_error() -> None:
    with pytest.raises(EngineError):
        compared(TunableMachine(fails=lambda _: True))


def test_what_is_kept_of_it() -> None:
    lost = Compared(CONVERSATION, "lost", 0.9, 0.8, 1.0, (0.9, 0.9))
    won = Compared(ONE_ANSWER, "won", 1.2, 1.1, 1.3, (1.2, 1.2))
    duel = EngineDuel("first 1", (lost, won))
    assert duel.faster == {ONE_ANSWER: 1.2}
    assert duel.to_data()["build"] == "first 1"
    assert [one["verdict"] for one in duel.to_data()["compared"]] == ["lost", "won"]
