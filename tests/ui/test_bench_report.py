"""What ``phi bench`` says about runs: formats, comparisons in words, warnings, the plot."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from phicli.bench.quality.estimates import Estimate
from phicli.bench.quality.types import Quality
from phicli.bench.runs.compare import BaselineResult, Ratio, ratios_of
from phicli.errors import OutputClosedError, UsageError, UserInterruptError
from phicli.records.run import Run, Workload
from phicli.ui.bench.comparisons import baseline_lines, ratio_lines
from phicli.ui.bench.report import draw_or_warn, print_runs, warnings_of
from phicli.ui.terminal import Terminal
from tests.support.runs import depths, quants, run, threads
from tests.ui.test_terminal import Gone, shown

WORK = Workload()


def report(runs: Sequence[Run], output: str = "text", **more: Any) -> tuple[str, str]:
    terminal = Terminal(io.StringIO(), io.StringIO(newline=""), io.StringIO(), colour=False)
    print_runs(terminal, runs, output=output, **more)
    return shown(terminal.stdout), shown(terminal.stderr)


def ratio(what: str = "decode_tps", low: float | None = 0.59, high: float | None = 0.63, **more: Any) -> Ratio:
    fields: dict[str, Any] = {"ours": "a:q8_0", "theirs": "a:q4_k_m", "ratio": 0.61, "workload": WORK} | more
    return Ratio(what=what, low=low, high=high, method="paired", **fields)


def quality() -> Quality:
    sure = Estimate(12.345, 0.25, 11.8, 12.9)
    return Quality(run().subject, run().settings, "a text", 400, 100, sure, None)


def test_json_is_one_envelope_with_all_that_was_found() -> None:
    runs, found = quants(), ratios_of(quants())
    baseline = BaselineResult("last", 0.95, found)
    out, told = report(runs, "json", ratios=found, baseline=baseline, qualities=[quality()])
    envelope = json.loads(out)
    assert (envelope["schema"], envelope["command"]) == (1, "bench")
    data = envelope["data"]
    assert data["hardware"]["physical_cores"] == 2
    assert [Run.from_data(one) for one in data["runs"]] == list(runs)
    assert {one["what"] for one in data["ratios"]} == {"prompt_tps", "decode_tps", "ttft_ms"}
    assert data["baseline"]["fail_below"] == 0.95
    assert data["quality"][0]["perplexity"]["value"] == 12.345
    assert told == ""


def test_json_of_nothing_is_valid() -> None:
    assert json.loads(report([], "json")[0])["data"] == {
        "hardware": {},
        "runs": [],
        "ratios": [],
        "baseline": None,
        "quality": [],
    }


@pytest.mark.parametrize(("output", "lines"), [("jsonl", 2), ("csv", 3), ("text", 8)])
def test_each_format_has_its_lines(output: str, lines: int) -> None:
    out, _ = report(quants(), output, ratios=ratios_of(quants()))
    assert len(out.splitlines()) == lines + (output == "text")


def test_the_comparison_stands_below_the_table() -> None:
    runs = quants()
    out, _ = report(runs, ratios=ratios_of(runs), qualities=[quality()])
    assert "phi-4-mini:q8_0 generates 0.61 times as fast as phi-4-mini:q4_k_m (0.61 to 0.61)" in out
    assert "processes the prompt 1.16 times as fast" in out
    assert "12.35 ± 0.25" in out
    text, _ = report(runs, "markdown", ratios=ratios_of(runs), qualities=[quality()])
    assert "- phi-4-mini:q8_0 generates 0.61 times as fast" in text
    assert "perplexity 12.35 ± 0.25" in text


def test_a_ratio_in_words() -> None:
    line, level = ratio_lines([ratio()])
    assert line == "a:q8_0 generates 0.61 times as fast as a:q4_k_m (0.59 to 0.63)"
    assert level == "in parentheses: 95 % confidence intervals"
    (line,) = ratio_lines([ratio(low=None, high=None)])
    assert line == "a:q8_0 generates 0.61 times as fast as a:q4_k_m"


def test_what_may_be_chance_is_said_to_be() -> None:
    line, _ = ratio_lines([ratio(ratio=1.01, low=0.98, high=1.04)])
    assert line.endswith("(0.98 to 1.04) - no clear difference")


def test_times_are_told_as_speeds() -> None:
    line, _ = ratio_lines([ratio("ttft_ms", ratio=2.0, low=1.6, high=2.5)])
    assert line == "a:q8_0 starts to answer 0.50 times as fast as a:q4_k_m (0.40 to 0.62)"


def test_one_sentence_a_pair_and_the_work_where_there_is_several() -> None:
    found = ratios_of(depths())
    *lines, _ = ratio_lines(found)
    assert len(lines) == 3
    assert lines[1].startswith("phi-4-mini-reasoning:q4_k_m (512 + 128 tokens after 1024) generates 0.98 times as fast")
    assert all(line.count(" times as fast") == 2 and line.count(" as phi-4-mini:") == 1 for line in lines)
    *lines, _ = ratio_lines(ratios_of(threads()[:2]))
    assert lines[0].startswith(
        "phi-4-mini:q4_k_m (2 threads) generates 1.92 times as fast as phi-4-mini:q4_k_m (1 thread) ("
    )


def test_a_baseline_in_words() -> None:
    lines = list(
        baseline_lines(BaselineResult("last", 0.95, (ratio(),), ("generation: 0.61",), ("threads: 1, not 2",)))
    )
    assert lines[0] == "compared with baseline last:"
    assert "recorded under different conditions: threads: 1, not 2" in lines
    assert lines[-1] == "below --fail-below 0.95: generation: 0.61"
    assert list(baseline_lines(BaselineResult("last", 0.5, (ratio(),))))[-1] == "nothing is below --fail-below 0.5"


def test_warnings_are_on_standard_error_once() -> None:
    busy, spread = "the machine was busy", "generation speed varied by 14%"
    runs = [run(warnings=(busy, busy)), run(quant="Q8_0", warnings=(busy, spread))]
    assert warnings_of(runs) == (busy, f"phi-4-mini:q8_0: {spread}")
    for output in ("text", "json", "jsonl", "csv", "markdown"):
        out, told = report(runs, output)
        assert told == f"warning: {busy}\nwarning: phi-4-mini:q8_0: {spread}\n"
        assert "warning: " not in out


def test_a_warning_says_which_setting_it_is_about() -> None:
    runs = [run(threads=1), run(threads=2, warnings=("slow",), complete=False, repeat=1)]
    assert warnings_of(runs) == ("phi-4-mini:q4_k_m (2 threads, interrupted after 1): slow",)


def test_the_plot_is_drawn_after_the_numbers(tmp_path: Path) -> None:
    path = tmp_path / "plot.svg"
    out, told = report(quants(), "json", plot=path)
    assert json.loads(out)
    assert told == f"plot: {path}\n"
    assert path.read_bytes().startswith(b"<?xml")


def test_what_cannot_be_drawn_is_said_and_no_error(tmp_path: Path) -> None:
    path = tmp_path / "plot.svg"
    _, told = report([run(repeat=0, complete=False)], plot=path)
    assert "the plot was not written" in told
    assert not path.exists()


def test_nothing_measured_prints_nothing() -> None:
    assert report([]) == ("", "")
    assert report([], "markdown") == ("", "")


def test_with_json_a_plot_that_fails_is_told_with_the_runs(tmp_path: Path) -> None:
    terminal = Terminal(io.StringIO(), io.StringIO(), io.StringIO(), colour=False)
    with pytest.raises(UsageError) as failed:
        print_runs(terminal, quants(), output="json", plot=tmp_path / "no" / "plot.svg")
    assert [Run.from_data(one) for one in (failed.value.data or {})["runs"]] == list(quants())
    assert shown(terminal.stdout) == "", "the one object is that of the error"


def test_an_interruption_while_it_is_drawn_loses_no_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("phicli.ui.bench.plot.draw", interrupt)
    with pytest.raises(UserInterruptError) as interrupted:
        report(quants(), "json", plot=tmp_path / "plot.svg")
    assert len((interrupted.value.data or {})["runs"]) == 2


@pytest.mark.parametrize("output", ["text", "jsonl", "csv", "markdown", "json"])
def test_it_is_drawn_although_the_reader_has_left(tmp_path: Path, output: str) -> None:
    terminal = Terminal(io.StringIO(), Gone(), io.StringIO(), colour=False)
    with pytest.raises(OutputClosedError):
        print_runs(terminal, quants(), output=output, plot=tmp_path / "plot.svg")
    assert (tmp_path / "plot.svg").stat().st_size
    assert "plot:" in shown(terminal.stderr)


def test_beside_another_failure_a_plot_that_fails_is_a_warning(tmp_path: Path) -> None:
    terminal = Terminal(io.StringIO(), io.StringIO(), io.StringIO(), colour=False)
    draw_or_warn(terminal, quants(), tmp_path / "no" / "plot.svg")
    assert shown(terminal.stderr).startswith("warning: a plot cannot be written")


def test_a_comma_in_the_name_of_a_file_is_no_setting() -> None:
    (line, _) = ratio_lines([ratio(ours="a, b.gguf, 2 threads", theirs="c.gguf")])
    assert line.startswith("a, b.gguf (2 threads) generates 0.61 times as fast as c.gguf (")
