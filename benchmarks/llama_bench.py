"""Builds llama.cpp's own ``llama-bench`` from the sources of the installed xllamacpp, and runs it."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

from benchmarks.sides import Rate, rate
from phicli.engine.engine_process import engine_environment

_RUN = re.compile(r"^llama-bench: benchmark \d+/\d+: (prompt|generation) run \d+/\d+$")
_FLAGS = ("CMAKE_BUILD_TYPE=Release", "LLAMA_BUILD_TESTS=OFF", "LLAMA_BUILD_UI=OFF", "LLAMA_CURL=OFF")


@dataclass(frozen=True, slots=True)
class Work:
    """What both sides do, and with which settings."""

    model: Path
    prompt_tokens: int
    generated_tokens: int
    repeat: int
    threads: int
    batch_tokens: int
    repack: bool
    flash_attention: str


@dataclass(frozen=True, slots=True)
class Speeds:
    """The rates of each repetition of one round, and the build that was measured."""

    prompt: tuple[Rate, ...]
    generation: tuple[Rate, ...]
    build: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line that ``llama-bench`` printed, and the CPU seconds that it had taken by then."""

    text: str
    cpu_s: float


def llama_bench(work: Work, binary: Path) -> Speeds:
    """One round of ``llama-bench``, with the variables that ``phi`` sets for its engines.

    It times each repetition itself. It does not know its CPU time; but with ``--progress`` it prints a line before
    each repetition, and its result right after the last one. So the CPU time of a repetition is the difference of
    what the system says of the process at two such lines: loading and warming up are not in it.

    Raises:
        RuntimeError: it failed.
    """
    command = [
        str(binary), "-m", str(work.model), "-o", "jsonl", "--progress", "-r", str(work.repeat),
        "-p", str(work.prompt_tokens), "-n", str(work.generated_tokens), "-t", str(work.threads),
        "-b", str(work.batch_tokens), "-ub", str(work.batch_tokens),
        "--repack", str(int(work.repack)), "-fa", work.flash_attention,
    ]  # fmt: skip
    lines: list[Line] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=engine_environment()
    ) as process:
        assert process.stdout is not None
        watched = psutil.Process(process.pid)
        for text in process.stdout:
            times = watched.cpu_times()
            lines.append(Line(text.strip(), times.user + times.system))
    if process.returncode != 0:
        raise RuntimeError(f"{shlex.join(command)} ended with {process.returncode}: {lines[-5:]}")
    return speeds(lines)


def speeds(lines: Sequence[Line]) -> Speeds:
    """The rates in what ``llama-bench`` printed, first prompt processing, then generation."""
    results: list[dict[str, Any]] = [json.loads(line.text) for line in lines if line.text.startswith("{")]
    prompt = next(result for result in results if result["n_prompt"])
    generation = next(result for result in results if result["n_gen"])
    return Speeds(
        tuple(_rates("prompt", prompt, prompt["n_prompt"], lines)),
        tuple(_rates("generation", generation, generation["n_gen"], lines)),
        f"{prompt['build_number']} ({prompt['build_commit']})",
    )


def _rates(kind: str, result: dict[str, Any], tokens: int, lines: Sequence[Line]) -> Iterator[Rate]:
    used = [
        after.cpu_s - line.cpu_s
        for line, after in pairwise(lines)
        if (found := _RUN.match(line.text)) and found[1] == kind
    ]
    for clock, cpu_s in zip(result["samples_ts"], used, strict=True):
        yield rate(tokens, tokens / clock, cpu_s, result["n_threads"])


def build(folder: Path, run: Callable[[Sequence[str]], None] | None = None) -> Path:
    """``llama-bench`` of the llama.cpp in the installed xllamacpp, compiled in ``folder`` for this processor.

    The commands are printed. On two cores they take seven minutes; a second call finds the program in place. They need
    cmake and a C++ compiler, and pip takes the sources from the package index.

    Args:
        folder: where the sources and the program go.
        run: runs one command; with ``subprocess`` when None.
    """
    binary = folder / "build" / "bin" / ("llama-bench.exe" if sys.platform == "win32" else "llama-bench")
    if binary.exists():
        return binary
    if shutil.which("cmake") is None:
        sys.exit("cmake not found\n→ install it: python -m pip install cmake")
    run = run or _run
    version = importlib.metadata.version("xllamacpp")
    name, jobs = f"xllamacpp-{version}", str(os.cpu_count() or 1)
    python = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", "xllamacpp"]
    run([*python, "--dest", str(folder), f"xllamacpp=={version}"])
    with tarfile.open(folder / f"{name}.tar.gz") as packed:
        packed.extractall(folder, filter="data")
    source, flags = folder / name / "thirdparty" / "llama.cpp", (*_FLAGS, f"LLAMA_BUILD_NUMBER={number_of(version)}")
    run(["cmake", "-S", str(source), "-B", str(folder / "build"), *(f"-D{flag}" for flag in flags)])
    run(["cmake", "--build", str(folder / "build"), "--parallel", jobs, "--target", "llama-bench"])
    return binary


def number_of(version: str) -> str:
    """The build number of llama.cpp in a version of xllamacpp: ``11549`` of ``2026.10.11549``."""
    return version.split(".")[2]


def _run(command: Sequence[str]) -> None:
    print(f"+ {shlex.join(command)}", file=sys.stderr)
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode != 0:
        sys.exit(f"this command failed: {shlex.join(command)}")
