"""How soon the first word comes, and what it costs, against the same engine with its own defaults.

``python -m benchmarks.cold_start`` makes a synthetic Phi-4-mini (true dimensions, random weights, Q4_K_M, 2.49 GB) in
a cache folder, keeps it, and prints a Markdown table. Both sides of every row are measured in turn (A B A B …) in the
same run; the ratio is that of the medians. ``--layers 4`` makes a smaller file for a quick look, with other ratios.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from benchmarks.processes import Measured, measure
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.types import Done, LoadSettings, Sampling
from phicli.gguf_file.header import read_header
from phicli.gguf_file.synthetic import PHI_4_MINI, write_synthetic
from phicli.hardware.cpu import physical_cores
from phicli.hardware.memory import available_memory
from phicli.plan.chat_options import ChatOptions
from phicli.plan.load import Use, plan_load
from phicli.plan.locate import locate

PROMPT = "Why is the sky blue, and why is it red in the evening?"
Rates = Callable[[list[int], int], dict[str, float]]
PHI = str(Path(sys.executable).with_name("phi"))
_DEFAULTS = "defaults of `phi chat`"
BARE_APP = """
import typer
app = typer.Typer(rich_markup_mode=None)
@app.command()
def one(name: str) -> None:
    "The first command."
@app.command()
def two(name: str) -> None:
    "The second command."
app()
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison: medians of ours and theirs, and what the ratio should be."""

    what: str
    ours: float
    theirs: float
    unit: str
    aim: str

    def markdown(self) -> str:
        """A row of the table."""
        return (
            f"| {self.what} | {self.ours:.2f} {self.unit} | {self.theirs:.2f} {self.unit} "
            f"| **{self.ours / self.theirs:.2f} x** | {self.aim} |"
        )


def synthetic_file(layers: int | None) -> Path:
    """The synthetic Phi-4-mini, made on the first call."""
    folder = platformdirs.user_cache_path("phicli-benchmarks", appauthor=False)
    path = folder / f"phi-4-mini-synthetic-q4_k_m-{layers or 'all'}-layers.gguf"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        print(f"writing {path} …", file=sys.stderr)
        part = path.with_suffix(".part")
        write_synthetic(part, PHI_4_MINI, layers=layers)
        part.rename(path)
    return path


def in_turn(runs: int, ours: Callable[[], Measured], theirs: Callable[[], Measured]) -> tuple[list[Measured], ...]:
    """Both sides ``runs`` times, one after the other, after one uncounted run of each."""
    ours(), theirs()
    pairs = [(ours(), theirs()) for _ in range(runs)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def help_rows(runs: int) -> Iterator[Row]:
    """``phi --help`` against a Typer application with two commands and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.py"
        bare.write_text(BARE_APP, encoding="utf-8")
        mine, others = in_turn(
            runs * 6,
            lambda: measure([PHI, "--help"]),
            lambda: measure([sys.executable, str(bare), "--help"]),
        )
    yield _row("`phi --help` against a bare two-command Typer app", mine, others, "ms", "≤ 1.3 x")


def chat_rows(path: Path, runs: int) -> Iterator[Row]:
    """One answer of ``phi chat`` against the engine with its defaults."""
    tokens = "8"
    mine, others = in_turn(
        runs,
        lambda: measure([PHI, "chat", str(path), PROMPT, "-n", tokens, "-q", "--context", "4096"]),
        lambda: measure([sys.executable, "-m", "benchmarks.engine_defaults", str(path), PROMPT, tokens]),
    )
    yield _row("process start to first token, one answer", mine, others, "s", "≤ 0.5 x")
    yield Row(
        "peak resident memory, one answer, all processes",
        statistics.median(run.peak_rss_bytes for run in mine) / 1e9,
        statistics.median(run.peak_rss_bytes for run in others) / 1e9,
        "GB",
        "≤ 0.75 x",
    )


def rate_rows(path: Path, runs: int) -> Iterator[Row]:
    """Tokens a second with repacked weights, and with the defaults of ``phi chat``, against the engine's defaults."""
    for settings, repack, aim in (("`--repack on`", True, "≥ 0.95 x"), (_DEFAULTS, False, "")):
        pairs = _rates_in_turn(path, runs, repack=repack, read=256, decoded=32)
        for name in ("decode", "prefill"):
            medians = [statistics.median(pair[side][name] for pair in pairs) for side in (0, 1)]
            yield Row(f"{name}, {settings}", *medians, "tokens/s", aim if name == "decode" else "")
    spinning = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        pairs = _rates_in_turn(path, min(runs, 3), repack=False, read=32, decoded=8)
    finally:
        spinning.kill()
    medians = [statistics.median(pair[side]["decode"] for pair in pairs) for side in (0, 1)]
    yield Row(f"decode, {_DEFAULTS}, while another program keeps one core busy", *medians, "tokens/s", "")


def _rates_in_turn(
    path: Path, runs: int, *, repack: bool, read: int, decoded: int
) -> list[tuple[dict[str, float], ...]]:
    with _ours(path, repack=repack) as mine, _theirs(path) as others:
        bodies = (_body(number, read) for number in itertools.count())
        mine(next(bodies), decoded), others(next(bodies), decoded)  # not counted
        return [(mine(next(bodies), decoded), others(next(bodies), decoded)) for _ in range(runs)]


def _body(number: int, tokens: int) -> list[int]:
    """A prompt that was never seen before, so that nothing is cached."""
    return list(range(1000 + 300 * number, 1000 + 300 * number + tokens))


def planned(path: Path, *, repack: bool) -> LoadSettings:
    """The settings that ``phi chat --repack on|off`` chooses for one answer on this machine."""
    plan = plan_load(
        locate(str(path)),
        read_header(path),
        ChatOptions(context_tokens=4096, engine={"repack": repack}),
        Use.ONE_ANSWER,
        memory=available_memory(),
        cores=physical_cores(),
    )
    return plan.settings


@contextlib.contextmanager
def _ours(path: Path, *, repack: bool) -> Iterator[Rates]:
    engine = LlamaServerEngine(planned(path, repack=repack))

    def rates(prompt: list[int], decoded: int) -> dict[str, float]:
        done = list(engine.generate(prompt, Sampling(max_tokens=decoded)))[-1]
        assert isinstance(done, Done)
        return {"decode": done.timings.decode_tps, "prefill": done.timings.prompt_tps}

    try:
        yield rates
    finally:
        engine.close()


@contextlib.contextmanager
def _theirs(path: Path) -> Iterator[Rates]:
    command = [sys.executable, "-m", "benchmarks.engine_defaults", str(path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def rates(prompt: list[int], decoded: int) -> dict[str, float]:
        print(json.dumps({"prompt": prompt, "n_predict": decoded, "temperature": 0}), file=stdin, flush=True)
        timings = json.loads(stdout.readline())
        return {"decode": timings["predicted_per_second"], "prefill": timings["prompt_per_second"]}

    try:
        yield rates
    finally:
        stdin.close()
        process.wait(30)


def _row(what: str, mine: Sequence[Measured], others: Sequence[Measured], unit: str, aim: str) -> Row:
    factor = 1000 if unit == "ms" else 1
    seconds = [statistics.median(run.first_output_s for run in side) for side in (mine, others)]
    return Row(what, seconds[0] * factor, seconds[1] * factor, unit, aim)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--layers", type=int, help="fewer layers, for a quick look")
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each side (default 5)")
    options = parser.parse_args()
    path = synthetic_file(options.layers)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(
        f"{physical_cores()} cores, {platform.machine()}, load average {load:.1f} at the start, {options.runs} runs\n"
    )
    print("| | `phi` | the other side | ratio | target |\n|---|---|---|---|---|")
    for rows in (help_rows(options.runs), chat_rows(path, options.runs), rate_rows(path, options.runs)):
        for row in rows:
            print(row.markdown(), flush=True)


if __name__ == "__main__":
    main()
