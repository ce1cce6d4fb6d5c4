"""The comparison with ``llama-bench``: what is read of its output, what it is compiled with, rows and goals."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.comparison import NO_GOAL
from benchmarks.llama_bench import Line, Speeds, Work, build, number_of, speeds
from benchmarks.native import GOAL, PHI_BENCH, SAME, check_builds, check_settings, goal_of, rows, same_build, tables
from benchmarks.sides import Rate
from tests.benchmarks.loaded_fakes import loaded

WORK = Work(Path("model.gguf"), 64, 8, 2, 2, 128, False, "auto")
BASE = {"n_threads": 2, "build_number": 11549, "build_commit": "unknown"}
PROMPT = json.dumps({**BASE, "n_prompt": 64, "n_gen": 0, "samples_ts": [483.7, 492.4]})
GENERATION = json.dumps({**BASE, "n_prompt": 0, "n_gen": 8, "samples_ts": [187.6, 195.9]})
PRINTED = [
    Line("llama-bench: benchmark 1/2: starting", 0.0),
    Line("llama-bench: benchmark 1/2: warmup prompt run", 1.0),
    Line("llama-bench: benchmark 1/2: prompt run 1/2", 2.0),
    Line("llama-bench: benchmark 1/2: prompt run 2/2", 2.5),
    Line(PROMPT, 3.5),
    Line("llama-bench: benchmark 2/2: starting", 4.0),
    Line("llama-bench: benchmark 2/2: warmup generation run", 4.5),
    Line("llama-bench: benchmark 2/2: generation run 1/2", 5.0),
    Line("llama-bench: benchmark 2/2: generation run 2/2", 5.25),
    Line(GENERATION, 5.5),
]
"""With two repetitions, and CPU times that are easy to divide by."""


def test_the_cpu_time_of_a_repetition_is_that_between_two_lines_without_loading_and_warming_up() -> None:
    found = speeds(PRINTED)
    assert [one.clock for one in found.prompt] == pytest.approx([483.7, 492.4])
    assert [one.cpu for one in found.prompt] == pytest.approx([2 * 64 / 0.5, 2 * 64 / 1.0])
    assert [one.clock for one in found.generation] == pytest.approx([187.6, 195.9])
    assert [one.cpu for one in found.generation] == pytest.approx([2 * 8 / 0.25, 2 * 8 / 0.25])
    assert found.build == "11549 (unknown)"


def test_a_repetition_without_its_line_is_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        speeds([line for line in PRINTED if "prompt run 2/2" not in line.text])


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ("xllamacpp 2026.10.11549", "11549 (abc)", True),
        ("xllamacpp 2026.10.11549 (zen4 kernels)", "11549 (abc)", True),
        ("llama-server 1 (build 11434, commit abc)", "11549 (abc)", False),
        ("xllamacpp 2026.10.11549", "0 (unknown)", True),
    ],
)
def test_builds_are_compared_by_their_number_where_there_is_one(ours: str, theirs: str, same: bool) -> None:
    assert same_build(ours, theirs) is same


def test_two_builds_are_refused() -> None:
    one = Speeds((Rate(1, 1),), (Rate(1, 1),), "xllamacpp 2026.10.1")
    with pytest.raises(SystemExit, match="two builds"):
        check_builds({"`phi`": [one], "llama-bench": [speeds(PRINTED)]})


def test_both_speeds_are_shown_by_cpu_time_and_by_the_clock() -> None:
    theirs = speeds(PRINTED)
    lines = list(rows(WORK, [theirs] * 3, [theirs] * 3, GOAL))
    assert [line.split(" | ")[0] for line in lines] == [
        "| prompt processing, 64 tokens, weights as in the file, by CPU time",
        "| prompt processing, 64 tokens, weights as in the file, by the clock",
        "| generation, 8 tokens, weights as in the file, by CPU time",
        "| generation, 8 tokens, weights as in the file, by the clock",
    ]
    assert all("| **1.00 x** | 1.000 to 1.000 |" in line for line in lines)
    assert [GOAL.target in line for line in lines] == [True, False, True, False]
    assert NO_GOAL.target == ""


def test_phi_bench_has_no_cpu_time_and_should_be_equal() -> None:
    ours = Speeds((Rate(480, 0),), (Rate(190, 0),), "llama-server (build 11549)")
    text = "\n".join(tables([(WORK, {PHI_BENCH: [ours], "llama-bench": [speeds(PRINTED)]})]))
    assert "by CPU time" not in text
    assert text.count(SAME.target) == 2
    assert "against `llama-bench` (build 11549 (unknown)):" in text


def test_other_settings_than_those_of_llama_bench_are_an_error() -> None:
    equal = {"threads": 2, "batch_tokens": 128, "flash_attention": "auto"}
    check_settings(loaded([], **equal), WORK)
    with pytest.raises(RuntimeError, match=r"phi has chosen .*'threads': 1"):
        check_settings(loaded([], **equal | {"threads": 1}), WORK)


def test_the_build_number_is_the_last_part_of_the_version() -> None:
    assert number_of("2026.10.11549") == "11549"
    assert number_of("2026.10.11549.post1") == "11549"


def test_llama_bench_is_compiled_from_the_sources_of_the_installed_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _: "2026.10.11549")
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    commands: list[Sequence[str]] = []

    def run(command: Sequence[str]) -> None:
        commands.append(command)
        if "download" in command:
            with tarfile.open(tmp_path / "xllamacpp-2026.10.11549.tar.gz", "w:gz") as packed:
                file = tarfile.TarInfo("xllamacpp-2026.10.11549/thirdparty/llama.cpp/CMakeLists.txt")
                packed.addfile(file, io.BytesIO(b""))

    binary = build(tmp_path, run)
    assert binary.parent == tmp_path / "build" / "bin"
    assert commands[0][-1] == "xllamacpp==2026.10.11549"
    assert "-DLLAMA_BUILD_NUMBER=11549" in commands[1]
    assert Path(commands[1][2]).is_dir()
    assert commands[2][-1] == "llama-bench"


def test_a_compiled_llama_bench_is_not_compiled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    binary = tmp_path / "build" / "bin" / "llama-bench"
    binary.parent.mkdir(parents=True)
    binary.touch()
    assert build(tmp_path, lambda command: pytest.fail(str(command))) == binary


def test_a_missing_cmake_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(SystemExit, match=r"cmake not found\n→ install it: python -m pip install cmake"):
        build(tmp_path)


def test_the_kernels_of_the_wheel_have_no_target() -> None:
    assert goal_of("`phi`, wheel kernels", "xllamacpp 1.2.3") is NO_GOAL
    assert goal_of("`phi`, native kernels", "xllamacpp 1.2.3 (zen4 kernels)") is GOAL
    assert goal_of(PHI_BENCH, "llama-server (build 1)") is SAME
