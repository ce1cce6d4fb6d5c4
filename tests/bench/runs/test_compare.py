"""Ratios of runs of one benchmark."""

from __future__ import annotations

from dataclasses import replace

import pytest

from phicli.bench.runs.compare import ratio_text, ratios_of
from phicli.bench.runs.conditions import labels_of
from phicli.records.run import Workload
from tests.support.runs import depths, quants, run, subject


def test_each_later_run_against_the_first() -> None:
    one, two = quants()
    found = {ratio.what: ratio for ratio in ratios_of([one, two])}
    assert list(found) == ["prompt_tps", "decode_tps", "ttft_ms"]
    decode = found["decode_tps"]
    assert (decode.ours, decode.theirs) == ("phi-4-mini:q8_0", "phi-4-mini:q4_k_m")
    # The same wobble in both, pair by pair: nothing is left of it.
    assert (decode.ratio, decode.low, decode.high) == pytest.approx((5.98 / 9.8,) * 3)
    assert "paired" in decode.method
    assert found["ttft_ms"].ratio < 1 < found["ttft_ms"].speed[0]
    assert ratio_text(found["ttft_ms"]).startswith("1.16 (")


def test_only_what_did_the_same_work_is_compared() -> None:
    found = ratios_of(depths())
    assert {(ratio.ours, ratio.theirs) for ratio in found} == {
        ("phi-4-mini-reasoning:q4_k_m", "phi-4-mini:q4_k_m"),
    }
    assert sorted({ratio.workload.depth_tokens for ratio in found}) == [0, 1024, 3072]
    assert len(found) == 9


def test_runs_in_blocks_are_no_pairs() -> None:
    blocks = [replace(one, extra={"schedule": "blocks"}) for one in quants()]
    ratios = ratios_of(blocks)
    assert {ratio.method for ratio in ratios} == {"Welch's t of the logs"}
    assert all(ratio.low is not None and ratio.low < ratio.ratio for ratio in ratios)


def test_what_only_one_of_them_measured_is_left_out() -> None:
    work = Workload(0, 128, 0)
    assert [ratio.what for ratio in ratios_of([run(workload=work, prompt_tps=None)] * 2)] == []
    pair = [run(workload=work, prompt_tps=None), run(quant="Q8_0", workload=work, prompt_tps=None)]
    assert [ratio.what for ratio in ratios_of(pair)] == ["decode_tps"]
    once = [replace(one, samples=one.samples[:1]) for one in pair]
    assert [(ratio.low, ratio.high, ratio_text(ratio)) for ratio in ratios_of(once)] == [(None, None, "1.00")]
    assert ratios_of([replace(pair[0], samples=()), pair[1]]) == ratios_of([]) == ()


def test_labels_say_what_tells_runs_apart() -> None:
    assert labels_of([run()]) == ("phi-4-mini:q4_k_m",)
    assert labels_of([run(threads=1), run(threads=2, repack=True)]) == (
        "phi-4-mini:q4_k_m, 1 thread, not repacked",
        "phi-4-mini:q4_k_m, 2 threads, repacked",
    )
    file = replace(run(), subject=replace(subject(), model="/models/a.GGUF"))
    assert labels_of([file]) == ("/models/a.GGUF",)
