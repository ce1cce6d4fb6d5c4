"""What is refused before anything is measured, and what is said about a baseline that is no good measure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phicli.bench.runs.baseline import Baseline, open_baseline
from phicli.bench.runs.conditions import busy_words, interruption
from phicli.errors import NotFoundError, UsageError
from phicli.records.history import LAST, History, entry_of
from phicli.records.run import Run, Sample, Workload
from tests.support.runs import depths, quants, run, subject


def planned(one: Run) -> Run:
    """``one`` before it is measured: no id, no samples, and nobody knows which build the engine is."""
    unknown = replace(one.subject, build="")
    return replace(one, run_id="", made_at="", samples=(), peak=None, complete=False, subject=unknown, load_ms=0.0)


def before(*kept: Run, force: bool = False, name: str = "file") -> Baseline:
    return Baseline(name, kept, None, force)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"subject": replace(subject("phi-4"), sha256="cd" * 32)}, "model: phi-4, now phi-4-mini"),
        ({"subject": replace(subject(), sha256="cd" * 32)}, "file content"),
        ({"subject": replace(subject(), engine="llama-server")}, "engine: llama-server, now xllamacpp"),
        ({"hardware": {"cpu": "Z80"}}, "processor: Z80, now"),
        ({"threads": 1}, "threads: 1, now 2"),
        ({"workload": Workload(512, 128, 9)}, "workload: 512 + 128 tokens after 9"),
        ({"complete": False, "extra": {"repeat": 7}}, "interrupted after 5 of 7 repetitions"),
    ],
    ids=str,
)
def test_what_cannot_be_compared_is_refused_before(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)) as refused:
        before(run(**change)).check([planned(run())])
    assert "--force" in refused.value.hint
    before(run(**change), force=True).check([planned(run())])


def test_another_build_is_refused_where_it_is_known() -> None:
    older = run(subject=replace(subject(), build="xllamacpp 1"))
    before(older).check([planned(run())])
    known = replace(planned(run()), subject=subject())
    with pytest.raises(UsageError, match=r"engine build: xllamacpp 1, now xllamacpp 2026"):
        before(older).check([known])


def test_nothing_in_common_is_known_before() -> None:
    reading = run(workload=Workload(512, 0, 0), decode_tps=None)
    generating = planned(run(workload=Workload(0, 128, 0), prompt_tps=None))
    with pytest.raises(UsageError, match="none of the requested measurements"):
        before(reading, force=True).check([generating])
    with pytest.raises(UsageError, match="none of the requested measurements"):
        before(replace(run(), samples=())).check([planned(run())])


def test_what_can_be_compared_passes() -> None:
    before(*quants()).check([planned(one) for one in quants()])
    before(*depths()).check([planned(one) for one in depths()])


def test_last_is_looked_for_before(tmp_path: Path) -> None:
    history = History(tmp_path / "runs.sqlite")
    history.add(entry_of(run(threads=1)))
    opened = open_baseline(LAST, 0.9, history)
    assert opened is not None
    with pytest.raises(NotFoundError, match="threads: 1, now 2"):
        opened.check([planned(run())])
    opened.check([planned(run(threads=1))])


def test_what_is_kept_later_is_not_compared_with(tmp_path: Path) -> None:
    """Another command may finish meanwhile; ``last`` is what was last when this one began."""
    history = History(tmp_path / "runs.sqlite")
    history.add(entry_of(run(run_id="before", made_at="2026-11-22T10:00:00+00:00")))
    opened = open_baseline(LAST, None, history)
    assert opened is not None
    history.add(entry_of(run(run_id="meanwhile", made_at="2026-11-22T11:00:00+00:00", decode_tps=1.0)))
    found = opened.compare([run(run_id="now", made_at="2026-11-22T12:00:00+00:00")])
    assert all("(before)" in ratio.theirs for ratio in found.ratios)


def test_a_complete_run_is_preferred_to_a_newer_interrupted_one() -> None:
    complete = run(run_id="complete", made_at="2026-11-22T10:00:00+00:00")
    cut = run(run_id="cut", made_at="2026-11-22T11:00:00+00:00", complete=False, repeat=2)
    found = before(cut, complete).compare([run(run_id="now")])
    assert all("(complete)" in ratio.theirs for ratio in found.ratios)
    assert found.differences == ()


def test_an_interrupted_run_is_compared_with_by_force() -> None:
    cut = run(run_id="cut", complete=False, repeat=2, extra={"repeat": 5})
    now = [run(run_id="now")]
    with pytest.raises(UsageError, match="interrupted after 2 of 5 repetitions"):
        before(cut).compare(now)
    assert before(cut, force=True).compare(now).differences == ("interrupted after 2 of 5 repetitions",)


def test_how_far_an_interrupted_run_came() -> None:
    assert interruption(run()) == ()
    half = (Sample(100.0, 50.0, 110.0), Sample(100.0, None, 110.0))
    assert interruption(run(complete=False, samples=half, extra={"repeat": 2})) == (
        "interrupted after 1 of 2 repetitions",
    )
    assert interruption(run(complete=False)) == ("interrupted",)


BUSY: Sequence[tuple[dict[str, Any], str | None]] = [
    ({"extra": {"others_busy_cores": 1.2}}, "other programs used 1.2 of 2 processors"),
    ({"extra": {"others_busy_cores": 0.1}}, None),
    ({"extra": {"others_busy_cores": 0.1}, "load_average": 9.0}, None),
    ({"load_average": 3.0}, "its load average was 3.0"),
    ({"load_average": 0.2}, None),
    ({"load_average": None}, None),
    ({"load_average": 3.0, "hardware": {}}, "its load average was 3.0"),
]


@pytest.mark.parametrize(("record", "said"), BUSY, ids=str)
def test_a_baseline_of_a_busy_machine_is_pointed_out(record: dict[str, Any], said: str | None) -> None:
    kept = run(run_id="kept", **record)
    found = before(kept).compare([run(run_id="now")])
    if said is None:
        assert (busy_words(kept), found.warnings) == (None, ())
        return
    (line,) = found.warnings
    assert line.startswith("baseline kept: the machine was busy: ")
    assert said in line
    assert found.to_data()["warnings"] == [line]
