"""Which files are compared with each other, what is told, and what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.bench.options import BenchOptions
from phicli.bench.quality.families import each_quality, families
from phicli.bench.quality.scoring import QUICK, USUAL
from phicli.errors import EngineError
from phicli.records.history import History
from phicli.records.run import Run
from tests.bench.quality.test_measure import rule
from tests.fakes.scoring_engine import Launcher
from tests.support.runs import adapter, quants, run, with_adapters

OPTIONS = BenchOptions()
SIZES = {"Q4_K_M": 2 << 30, "Q8_0": 4 << 30, "Q6_K": 3 << 30}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHI_HOME", str(tmp_path))


def bench_run(quant: str | None, model: str = "phi-4-mini", **more: object) -> Run:
    """A run whose file differs from all others, with a size by its quant."""
    found = run(model, quant)
    changed = {"sha256": None, "size_bytes": SIZES.get(quant or "", 1000), **more}
    return replace(found, subject=replace(found.subject, **changed))  # type: ignore[arg-type]


def launcher() -> Launcher:
    return Launcher({quant: rule(0.5) for quant in SIZES})


def grouped(runs: Sequence[Run]) -> list[list[str | None]]:
    return [[subject.quant for subject in family.subjects] for family in families(runs)]


def test_quants_of_a_variant_are_a_family() -> None:
    assert grouped([bench_run("Q4_K_M"), bench_run("Q8_0"), bench_run("Q8_0", "phi-4")]) == [["Q4_K_M", "Q8_0"]]


def test_a_file_that_was_run_more_than_once_counts_once() -> None:
    first, other = bench_run("Q4_K_M"), bench_run("Q8_0")
    again = replace(first, settings=replace(first.settings, threads=1))
    assert grouped([first, again]) == []
    assert grouped([first, again, other, other]) == [["Q4_K_M", "Q8_0"]]


def test_the_same_quants_with_other_adapters_are_something_else() -> None:
    small, large = bench_run("Q4_K_M"), bench_run("Q8_0")
    tuned = with_adapters(small, adapter())
    assert grouped([small, tuned]) == []
    assert grouped([small, tuned, with_adapters(large, adapter(scale=0.5))]) == []
    both = [small, tuned, with_adapters(large, adapter("the-same-file"))]
    assert grouped([*both, large]) == [["Q4_K_M", "Q8_0"], ["Q4_K_M", "Q8_0"]]


def test_copies_of_a_file_are_one() -> None:
    one, copy = bench_run("Q4_K_M", sha256="ab"), bench_run("Q4_K_M", sha256="ab", path=Path("/elsewhere/x.gguf"))
    assert grouped([one, copy]) == []
    assert grouped([one, replace(copy, subject=replace(copy.subject, sha256="cd"))]) == [["Q4_K_M", "Q4_K_M"]]


def test_files_outside_the_catalogue_belong_together_by_name() -> None:
    names = ("SmolLM2-135M.Q4_1.gguf", "SmolLM2-135M-Q8_0.gguf", "SmolLM2-360M-Q8_0.gguf")
    runs = [bench_run(name[-9:-5].strip("-."), name, variant_id=None) for name in names]
    assert grouped(runs) == [["Q4_1", "Q8_0"]]
    repository = [bench_run(quant, "owner/model-GGUF", variant_id=None) for quant in ("Q4_0", "Q8_0")]
    assert grouped(repository) == [["Q4_0", "Q8_0"]]


def test_engines_are_not_mixed() -> None:
    ours, native = bench_run("Q4_K_M"), bench_run("Q8_0", engine="llama-server")
    assert grouped([ours, native]) == []
    assert grouped([ours, native, bench_run("Q8_0")]) == [["Q4_K_M", "Q8_0"]]


def test_an_engine_without_probabilities_has_no_part_in_it() -> None:
    old = [bench_run(quant, engine="ctransformers") for quant in ("Q4_K_M", "Q8_0")]
    assert grouped(old) == []
    assert grouped([*old, bench_run("Q4_K_M"), bench_run("Q8_0")]) == [["Q4_K_M", "Q8_0"]]


def test_settings_are_those_of_the_largest_file_for_all() -> None:
    small, large = bench_run("Q4_K_M"), bench_run("Q8_0")
    large = replace(large, settings=replace(large.settings, threads=7, kv_type="q8_0"))
    started = launcher()
    tuple(each_quality([small, large], OPTIONS, lambda _: None, launch=started))
    assert started.settings == [large.settings, large.settings]


def test_it_tells_what_it_does_and_for_how_long() -> None:
    told: list[str] = []
    found = tuple(each_quality([bench_run("Q4_K_M"), bench_run("Q8_0")], OPTIONS, told.append, launch=launcher()))
    assert [one.subject.quant for one in found] == ["Q8_0", "Q4_K_M"]
    assert told == [
        f"quality of phi-4-mini:{quant}: predicting 256 tokens of a text, about 26 s" for quant in ("q8_0", "q4_k_m")
    ]


def test_quick_reads_less_and_off_reads_nothing() -> None:
    runs = [bench_run("Q4_K_M"), bench_run("Q8_0")]
    quick = tuple(each_quality(runs, replace(OPTIONS, quick=True), lambda _: None, launch=launcher()))
    assert {one.tokens for one in quick} == {QUICK.tokens}
    assert QUICK.tokens < USUAL.tokens
    assert tuple(each_quality(runs, replace(OPTIONS, quality=False), lambda _: None, launch=launcher())) == ()


def test_what_was_found_is_kept() -> None:
    runs = [bench_run("Q4_K_M"), bench_run("Q8_0")]
    found = tuple(each_quality(runs, OPTIONS, lambda _: None, launch=launcher()))
    kept = History().entries(kind="quality")
    assert [entry.quant for entry in kept] == ["Q4_K_M", "Q8_0"]  # the newest first
    assert [dict(entry.data) for entry in reversed(kept)] == [one.to_data() for one in found]
    assert kept[0].data["against"]["quant"] == "Q8_0"
    assert kept[0].cpu == runs[0].hardware["cpu"]
    assert kept[0].build == "ruled 1"


def test_a_history_that_cannot_be_written_is_told() -> None:
    History().path.mkdir(parents=True)
    told: list[str] = []
    found = tuple(each_quality([bench_run("Q4_K_M"), bench_run("Q8_0")], OPTIONS, told.append, launch=launcher()))
    assert len(found) == 2
    assert sum("not saved" in line for line in told) == 2


@pytest.mark.parametrize("failure", [KeyboardInterrupt, EngineError("it died")], ids=["Ctrl-C", "engine"])
def test_what_was_finished_before_a_failure_is_given_out_and_kept(failure: BaseException) -> None:
    def fails(quant: str, done: int) -> None:
        if quant == "Q4_K_M" and done == 3:
            raise failure

    started = Launcher({quant: rule(0.5) for quant in SIZES}, fails=fails)
    found = each_quality([bench_run("Q4_K_M"), bench_run("Q8_0")], OPTIONS, lambda _: None, launch=started)
    assert next(found).subject.quant == "Q8_0"
    with pytest.raises((KeyboardInterrupt, EngineError)):
        next(found)
    assert started.running == 0
    assert [entry.quant for entry in History().entries(kind="quality")] == ["Q8_0"]


def test_runs_of_one_file_have_no_quality() -> None:
    assert tuple(each_quality(quants()[:1], OPTIONS, lambda _: None, launch=launcher())) == ()
    assert tuple(each_quality((), OPTIONS, lambda _: None, launch=launcher())) == ()
