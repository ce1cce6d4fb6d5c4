"""Runs against a baseline that was kept: what is compared, what is refused before and after measuring."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phicli.bench.runs.baseline import open_baseline
from phicli.bench.runs.compare import BaselineResult
from phicli.bench.runs.conditions import differences
from phicli.errors import CheckFailedError, IntegrityError, NotFoundError, UsageError
from phicli.records.adapters import MeasuredAdapter
from phicli.records.history import Entry, History, entry_of
from phicli.records.run import Run, Sample, Workload
from tests.support.runs import adapter, depths, run, subject, with_adapters

OTHER = {"sha256": "cd" * 32}


@pytest.fixture
def kept(tmp_path: Path) -> History:
    return History(tmp_path / "runs.sqlite")


def made(name: str, minute: int = 0, **more: Any) -> Run:
    return run(run_id=name, made_at=f"2026-11-22T10:{minute:02}:00+00:00", **more)


def keep(history: History, *runs: Run) -> None:
    for one in runs:
        history.add(entry_of(one))


def compared(now: list[Run], name: str, *, fail_below: float | None, force: bool, history: History) -> BaselineResult:
    baseline = open_baseline(name, fail_below, history, force=force)
    assert baseline is not None
    return baseline.compare(now)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"quant": "Q8_0", "subject": replace(subject(quant="Q8_0"), **OTHER)}, "quant: Q8_0, now Q4_K_M"),
        ({"subject": replace(subject("phi-4"), **OTHER)}, "model: phi-4, now phi-4-mini"),
        ({"subject": replace(subject(), **OTHER)}, f"file content: SHA-256 {'cd' * 6}, now {'ab' * 6}"),
        ({"subject": replace(subject(size_bytes=5), sha256=None)}, "file content: 5 bytes, now 2491874272"),
        ({"subject": replace(subject(), engine="llama-server")}, "engine: llama-server, now xllamacpp"),
        (
            {"subject": replace(subject(), build="xllamacpp 1")},
            "engine build: xllamacpp 1, now xllamacpp 2026.10.11549",
        ),
        ({"subject": replace(subject(), adapters=(adapter(scale=0.5),))}, "adapters: my-run:0.5, now none"),
        ({"hardware": {"cpu": "Z80"}}, "processor: Z80, now Intel(R) Xeon(R) Processor @ 2.10GHz"),
        ({"hardware": {**run().hardware, "gpus": ["A", "B"]}}, "GPUs: A, B, now none"),
        ({"hardware": {**run().hardware, "physical_cores": 4}}, "cores: 4, now 2"),
        ({"threads": 1}, "threads: 1, now 2"),
        ({"repack": True}, "repacking: on, now off"),
        ({"kv_type": "q8_0"}, "KV cache type: q8_0, now f16"),
        ({"speculation": "ngram-mod"}, "speculation: ngram-mod, now none"),
        (
            {"workload": Workload(512, 128, 0, "new")},
            "workload: 512 + 128 tokens of new text, now 512 + 128 tokens",
        ),
        ({"workload": Workload(512, 128, 9)}, "workload: 512 + 128 tokens after 9, now 512 + 128 tokens"),
    ],
    ids=str,
)
def test_another_baseline_is_refused_and_forced(kept: History, change: dict[str, Any], said: str) -> None:
    keep(kept, made("before", **change))
    now = [made("now", 1)]
    with pytest.raises(UsageError) as refused:
        compared(now, "before", fail_below=0.9, force=False, history=kept)
    assert refused.value.message == f"baseline before was recorded under different conditions: {said}"
    assert "--force" in refused.value.hint
    result = compared(now, "before", fail_below=0.9, force=True, history=kept)
    assert result.differences == (said,)
    assert result.ratios
    assert result.failed == ()


def test_what_is_no_difference() -> None:
    one = run()
    elsewhere = replace(subject(), path=Path("/other.gguf"), model="/other.gguf", quant=None)
    for other in (
        replace(one, subject=elsewhere),
        replace(one, context_tokens=4096),
        replace(one, hardware={}),
        replace(one, subject=replace(subject(), sha256=None)),
        replace(one, load_average=3.0, samples=()),
    ):
        assert differences(one, other) == differences(other, one) == ()


def test_a_regression_fails_with_its_interval(kept: History) -> None:
    keep(kept, made("before", decode_tps=10.0))
    result = compared([made("now", 1, decode_tps=7.1)], "before", fail_below=0.95, force=False, history=kept)
    assert len(result.failed) == 1
    assert result.failed[0].startswith(
        "generation speed of phi-4-mini:q4_k_m, 512 + 128 tokens: 0.71 (0.70 to 0.72) times the baseline, "
        "below --fail-below 0.95"
    )
    assert "chance" not in result.failed[0]
    assert {ratio.method for ratio in result.ratios} == {"Welch's t of the logs"}, "then and now are no pairs"
    with pytest.raises(CheckFailedError, match=r"0\.71 .*below --fail-below 0\.95") as failed:
        result.require_passed()
    assert failed.value.exit_code == 9
    assert result.to_data()["failed"] == list(result.failed)


def test_a_slower_first_token_is_a_regression_too(kept: History) -> None:
    keep(kept, made("before"))
    late = [replace(one, ttft_ms=2 * (one.ttft_ms or 0)) for one in run().samples]
    result = compared([made("now", 1, samples=tuple(late))], "before", fail_below=0.9, force=False, history=kept)
    assert [text.split(" of ")[0] for text in result.failed] == ["speed to first token"]
    assert ": 0.50 (" in result.failed[0]


def test_no_regression(kept: History) -> None:
    keep(kept, made("before", decode_tps=10.0))
    for tps in (9.6, 10.0, 25.0):
        found = compared([made("now", 1, decode_tps=tps)], "before", fail_below=0.95, force=False, history=kept)
        assert found.failed == ()
        found.require_passed()
    told = compared([made("now", 1, decode_tps=1.0)], "before", fail_below=None, force=False, history=kept)
    assert told.failed == (), "without a limit nothing fails"


def test_doubt_is_said(kept: History) -> None:
    keep(kept, made("before", decode_tps=10.0))
    noisy = tuple(
        Sample(one.prompt_ms, time, one.ttft_ms) for one, time in zip(run().samples, (12e3, 18e3) * 3, strict=False)
    )
    wide = compared([made("now", 1, samples=noisy)], "before", fail_below=0.95, force=False, history=kept)
    assert "may be due to chance" in wide.failed[0]
    once = made("once", 1, decode_tps=5.0, repeat=1)
    alone = compared([once], "before", fail_below=0.95, force=False, history=kept)
    assert ": 0.50 times the baseline, below --fail-below 0.95 (one repetition" in alone.failed[0]


def test_last_is_the_newest_of_the_same(kept: History) -> None:
    mine = made("now", 30)
    keep(
        kept,
        made("oldest", 1, decode_tps=1.0),
        made("wanted", 2, decode_tps=9.8),
        made("other-settings", 3, threads=1),
        made("other-work", 4, workload=Workload(512, 128, 100)),
        replace(made("other-model", 5), subject=replace(subject("phi-4"), **OTHER)),
        replace(made("interrupted", 6), complete=False),
        mine,
    )
    kept.add(replace(entry_of(made("unreadable", 7)), data={}))
    result = compared([mine], "last", fail_below=0.9, force=False, history=kept)
    assert all("(wanted)" in ratio.theirs for ratio in result.ratios)
    assert result.failed == ()


def test_each_of_several_runs_has_its_own_last(kept: History) -> None:
    measured = [replace(one, subject=replace(one.subject, sha256=None)) for one in depths()]
    keep(kept, *(replace(one, run_id=f"before{place}") for place, one in enumerate(measured)))
    now = [replace(one, run_id=f"now{place}") for place, one in enumerate(measured)]
    result = compared(now, "last", fail_below=0.99, force=False, history=kept)
    assert [ratio.ratio for ratio in result.ratios] == pytest.approx([1] * 18)


def test_there_is_no_last(kept: History) -> None:
    with pytest.raises(NotFoundError, match="no earlier run of phi-4-mini"):
        compared(
            [made("now")], "last", fail_below=None, force=True, history=_with(kept, made("x", workload=Workload(1)))
        )
    keep(kept, made("slow", 3, threads=1))
    with pytest.raises(NotFoundError, match="threads: 1, now 2") as settings:
        compared([made("now")], "last", fail_below=None, force=False, history=kept)
    assert "--force" in settings.value.hint
    forced = compared([made("now")], "last", fail_below=0.5, force=True, history=kept)
    assert forced.differences == ("threads: 1, now 2",)


def _with(history: History, *runs: Run) -> History:
    keep(history, *runs)
    return history


def test_one_thread_fewer_is_caught(kept: History) -> None:
    keep(kept, made("before", threads=2, decode_tps=9.8, prompt_tps=34.0))
    slow = made("now", 1, threads=1, decode_tps=5.1, prompt_tps=17.5)
    result = compared([slow], "last", fail_below=0.95, force=True, history=kept)
    assert [text.split(" of ")[0] for text in result.failed] == [
        "prompt speed",
        "generation speed",
        "speed to first token",
    ]


def test_what_the_baseline_lacks_is_said_not_compared_with_other_work(kept: History) -> None:
    keep(kept, made("before"))
    now = [made("now", 1), made("deep", 1, workload=Workload(512, 128, 3072), decode_tps=2.0)]
    with pytest.raises(UsageError, match="workload"):
        compared(now, "before", fail_below=0.9, force=False, history=kept)
    result = compared(now, "before", fail_below=0.9, force=True, history=kept)
    assert result.failed == ()
    assert result.notes == ("phi-4-mini:q4_k_m, 512 + 128 tokens after 3072: not in the baseline",)


def test_nothing_in_common(kept: History) -> None:
    keep(kept, made("before", workload=Workload(512, 0, 0), decode_tps=None))
    reading = replace(made("now", workload=Workload(0, 128, 0), prompt_tps=None), complete=True)
    with pytest.raises(UsageError, match="none of the measurements made now"):
        compared([reading], "before", fail_below=0.9, force=True, history=kept)


@pytest.mark.parametrize("limit", [0.0, -1.0, 10.5, float("nan"), float("inf")])
def test_limits_that_make_no_sense(kept: History, limit: float) -> None:
    with pytest.raises(UsageError, match="--fail-below"):
        open_baseline("last", limit, kept)


def test_what_is_wrong_is_found_before_anything_is_measured(kept: History, tmp_path: Path) -> None:
    open_baseline(None, None, kept)
    with pytest.raises(UsageError, match="requires --baseline"):
        open_baseline(None, 0.95, kept)
    with pytest.raises(NotFoundError, match="no run has been saved yet"):
        open_baseline("last", 0.95, kept)
    kept.add(Entry("aaa", "2026", "eval", "m", None, "e", "b", "c", {}))
    with pytest.raises(UsageError, match="its kind is eval"):
        open_baseline("aaa", None, kept)
    with pytest.raises(NotFoundError, match="zzz"):
        open_baseline("zzz", None, kept)
    with pytest.raises(NotFoundError, match="not found"):
        open_baseline(str(tmp_path / "no.json"), None, kept)
    with pytest.raises(NotFoundError, match=r"no\.json not found"):
        open_baseline("no.json", None, kept)
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(UsageError, match="no run of phi bench"):
        open_baseline(str(tmp_path / "bad.json"), None, kept)
    keep(kept, made("run", 1))
    open_baseline("last", 0.95, kept)
    open_baseline("run", 10.0, kept)


def test_a_kept_run_that_is_damaged(kept: History) -> None:
    kept.add(replace(entry_of(made("before")), data={**run().to_data(), "samples": [{"decode_ms": -3}]}))
    with pytest.raises(IntegrityError, match="sample 1: decode_ms is -3"):
        compared([made("now")], "before", fail_below=0.9, force=False, history=kept)


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ((), ("adapters: none, now my-run",)),
        ((adapter(scale=2),), ("adapters: my-run:2, now my-run",)),
        ((adapter(sha256="34" * 32),), (f"adapters: SHA-256 {'34' * 6}, now SHA-256 {'12' * 6}",)),
        ((adapter(), adapter("style")), ("adapters: my-run, style, now my-run",)),
        ((adapter("an-older-name"),), ()),
    ],
)
def test_other_adapters_are_another_subject(before: tuple[MeasuredAdapter, ...], said: tuple[str, ...]) -> None:
    assert differences(with_adapters(run(), adapter()), with_adapters(run(), *before)) == said


def test_the_last_run_of_a_model_is_not_that_of_its_adapter(kept: History) -> None:
    keep(kept, with_adapters(made("tuned", 1), adapter()), made("plain", 0))
    (ratio, *_) = compared([made("now", 2)], "last", fail_below=None, force=False, history=kept).ratios
    assert "(plain)" in ratio.theirs
    again = [with_adapters(made("now", 2), adapter())]
    (ratio, *_) = compared(again, "last", fail_below=None, force=False, history=kept).ratios
    assert (ratio.ours, "(tuned)" in ratio.theirs) == ("phi-4-mini:q4_k_m+my-run", True)
    other = [with_adapters(made("now", 2), adapter("style", sha256="34" * 32))]
    with pytest.raises(NotFoundError, match=r"no earlier run of phi-4-mini:q4_k_m\+style with these settings"):
        compared(other, "last", fail_below=None, force=False, history=kept)
