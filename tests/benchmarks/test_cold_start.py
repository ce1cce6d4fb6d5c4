"""The comparison with version 0.1: prompts, rows and goals; nothing is timed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.baseline import constraints, full_commit
from benchmarks.cold_start import NATIVE, PROMPT_TOKENS, WHEEL, Found, rows, tables
from benchmarks.comparison import Row
from benchmarks.processes import Measured
from benchmarks.sides import AS_PHI_4_MINI, Rate, Side
from phicli.answering.byte_pairs import BytePairs
from phicli.gguf_file.merges import Merges
from phicli.gguf_file.split_patterns import TRUE_PATTERNS
from phicli.gguf_file.synthetic import PHI_4_MINI
from phicli.gguf_file.synthetic_vocabulary import synthetic_vocabulary

SPECIAL_TOKENS = 3
RUN, RATE = Measured(2.0, 3.0, 3_000_000_000, 2.5), Rate(10.0, 12.0)
FOUND = Found([RUN], [RUN], [RATE], [RATE])
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def side(name: str, kernels: str = "", spelled: str = "") -> Side:
    return Side(name, (), (), {}, kernels, spelled)


def test_the_prompts_have_as_many_tokens_as_the_rows_say() -> None:
    vocabulary = synthetic_vocabulary(PHI_4_MINI.vocabulary)
    merges = Merges(
        {token.encode(): number for number, token in enumerate(vocabulary.tokens)},
        {merge.encode(): number for number, merge in enumerate(vocabulary.merges)},
    )
    tokenizer = BytePairs(TRUE_PATTERNS["gpt-4o"], lambda: merges)
    counted = {prompt: len(tokenizer.tokenize(prompt)) + SPECIAL_TOKENS for prompt in PROMPT_TOKENS}
    assert counted == PROMPT_TOKENS
    assert AS_PHI_4_MINI.count("<|") == SPECIAL_TOKENS


def test_every_time_and_rate_stands_there_by_the_clock_and_in_cpu_time() -> None:
    found = {row.what: row for row in rows(FOUND, FOUND, NATIVE)}
    assert len(found) == 9
    assert found["process start to first token, 12-token prompt"].ours == [2.0]
    assert found["process start to first token, 12-token prompt, CPU time"].ours == [2.5]
    assert found["peak resident memory of all processes, 12-token prompt"].ours == [3.0]
    assert found["prompt processing, settings of one answer"].ours == [10.0]
    assert found["prompt processing, settings of one answer, by CPU time"].ours == [12.0]


def test_with_the_kernels_of_the_wheel_fewer_rows_have_a_target() -> None:
    def targets(goals: object) -> list[str]:
        return [row.goal.target for row in rows(FOUND, FOUND, goals) if row.goal.target]  # type: ignore[arg-type]

    assert targets(WHEEL) == ["≤ 0.88 x", "≤ 0.87 x"]
    assert targets(NATIVE) == ["≤ 0.75 x", "≤ 0.55 x", "≤ 0.87 x", *["≥ 2.0 x"] * 2, *["≥ 1.15 x"] * 2]


def test_a_busy_core_is_a_row_only_where_it_was_measured() -> None:
    busy = Found([RUN], [RUN], [RATE], [RATE], [RATE])
    assert len(list(rows(busy, busy, {}))) == len(list(rows(FOUND, FOUND, {}))) + 2


def test_there_is_a_table_for_each_of_our_sides_with_its_build_and_goals() -> None:
    ours, theirs = [side("wheel", "wheel"), side("native", "native")], side("phi 0.1.0")
    found = dict.fromkeys(("wheel", "native", "phi 0.1.0"), FOUND)
    builds = {"wheel": "x 1", "native": "x 1 (zen4 kernels)", "phi 0.1.0": "x 1"}
    last = Row("`phi --help`", [60.0], [50.0], "ms")
    first, second = "\n".join(tables(ours, theirs, found, builds, last)).split("native (x 1")
    assert "wheel (x 1), against phi 0.1.0 (x 1):" in first
    assert "≤ 0.88 x" in first
    assert "≤ 0.75 x" in second
    assert all("| `phi --help` | 60.0 ms (60.0 to 60.0)" in table for table in (first, second))
    assert all("≤ 1.2 x | ≤ 1.1 x |" in table for table in (first, second))


@needs_git
@pytest.mark.process
def test_a_commit_that_the_checkout_does_not_have_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"commit 6539993 not found.*\n→ .*git fetch --unshallow"):
        full_commit("6539993", tmp_path)


@needs_git
@pytest.mark.process
def test_a_commit_is_found_by_the_beginning_of_its_hash(tmp_path: Path) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.example"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message", "first"], check=True)
    done = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    assert full_commit(done.stdout[:7], tmp_path) == done.stdout.strip()


def test_the_older_version_gets_the_packages_that_are_installed_here_and_not_phi_itself() -> None:
    versions = list(constraints())
    assert any(line.startswith("xllamacpp==") for line in versions)
    assert not any(line.startswith(("phi-local", "phicli")) for line in versions)
