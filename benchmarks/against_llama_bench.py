"""How near ``phi bench`` comes to llama.cpp's own ``llama-bench``: the same file, build and settings, in turn.

``python -m benchmarks.against_llama_bench --llama-bench PATH --llama-server PATH --model FILE`` runs ``llama-bench``
and ``phi bench --engine llama-server`` one after the other, in each round in the other order, and prints a Markdown
table with the ratio of their speeds and its 95 % interval. Both programs have to be of one build. What they do differs
a little: ``llama-bench`` evaluates random tokens and takes no sample, a server chooses each token and sends it.
Run it on an idle machine: the answer is "yes" only where the whole interval is within 3 % (``--within``) of 1, "no"
only where none of it is. Beside it stands the ratio of the fastest repetitions, which other programs disturb least.
Exits 1 unless all answers are yes.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phicli.engine.process import engine_environment
from phicli.hardware.cpu import physical_cores
from phicli.records.statistics import ratio_interval

PHI = str(Path(sys.executable).with_name("phi"))


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table, and whether both sides are shown to be equally fast."""

    cells: tuple[str, ...]
    near: bool


@dataclass(frozen=True, slots=True)
class Conditions:
    """What both sides do."""

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
    """Tokens a second of each repetition of one round, and the build that was measured."""

    prompt: tuple[float, ...]
    decode: tuple[float, ...]
    build: str


def phi(conditions: Conditions, server: Path) -> Speeds:
    """One round of ``phi bench``; its history goes to a folder that is removed."""
    with tempfile.TemporaryDirectory() as home:
        data = _json(
            [
                PHI, "bench", str(conditions.model), "--json",
                "--engine", "llama-server", "--llama-server", str(server),
                "-p", str(conditions.prompt_tokens), "-n", str(conditions.generated_tokens),
                "-r", str(conditions.repeat), "-t", str(conditions.threads), "-b", str(conditions.batch_tokens),
                "--repack", "on" if conditions.repack else "off", "--flash-attention", conditions.flash_attention,
            ],
            {**os.environ, "PHI_HOME": home},
        )  # fmt: skip
    (run,) = data["data"]["runs"]
    samples = run["samples"]
    prompt = tuple(1000 * run["prompt_tokens"] / one["prompt_ms"] for one in samples)
    return Speeds(prompt, tuple(1000 * run["generated_tokens"] / one["decode_ms"] for one in samples), run["build"])


def llama_bench(conditions: Conditions, binary: Path) -> Speeds:
    """One round of ``llama-bench``, with the variables that ``phi`` sets for its engines."""
    found = _json(
        [
            str(binary), "-m", str(conditions.model), "-o", "json", "-r", str(conditions.repeat),
            "-p", str(conditions.prompt_tokens), "-n", str(conditions.generated_tokens), "-t", str(conditions.threads),
            "-b", str(conditions.batch_tokens), "-ub", str(conditions.batch_tokens),
            "--repack", str(int(conditions.repack)), "-fa", conditions.flash_attention,
        ],
        engine_environment(),
    )  # fmt: skip
    prompt = next(one for one in found if one["n_prompt"])
    decode = next(one for one in found if one["n_gen"])
    build = f"{prompt['build_number']} ({prompt['build_commit']})"
    return Speeds(tuple(prompt["samples_ts"]), tuple(decode["samples_ts"]), build)


def _json(command: Sequence[str], environment: dict[str, str]) -> Any:
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise RuntimeError(
            f"{' '.join(command)} ended with {done.returncode}: {done.stdout[-500:]}{done.stderr[-2000:]}"
        )
    return json.loads(done.stdout)


def rounds(count: int, ours: Callable[[], Speeds], theirs: Callable[[], Speeds]) -> list[tuple[Speeds, Speeds]]:
    """Both sides ``count`` times; every second round begins with the other."""
    found = []
    for number in range(count):
        if number % 2:
            other = theirs()
            found.append((ours(), other))
        else:
            mine = ours()
            found.append((mine, theirs()))
        print(f"round {number + 1} of {count}: {found[-1]}", file=sys.stderr)
    return found


def same_build(ours: str, theirs: str) -> bool:
    """Whether both are of one build: its number stands in what either says."""
    number = theirs.partition(" ")[0]
    return number in re.findall(r"\d+", ours)


def row(what: str, ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]], within: float) -> Row:
    """One row of the table from the repetitions of each round."""
    means = [[statistics.fmean(one) for one in side] for side in (ours, theirs)]
    best = max(map(max, ours)) / max(map(max, theirs))
    found = ratio_interval(means[0], means[1], paired=True)
    assert found is not None
    low, high = found.low or 0.0, found.high or math.inf
    inside = 1 - within <= low <= high <= 1 + within
    answer = "yes" if inside else "no" if low > 1 + within or high < 1 - within else "inconclusive"
    cells = [what, *(f"{statistics.fmean(side):.2f} t/s" for side in means), f"**{found.estimate:.3f}**"]
    return Row((*cells, f"{low:.3f} to {high:.3f}", f"{best:.3f}", answer), inside)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--llama-bench", type=Path, required=True)
    parser.add_argument("--llama-server", type=Path, required=True, help="of the same build")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=3, help="repetitions in a round")
    parser.add_argument("-p", "--prompt-tokens", type=int, default=512)
    parser.add_argument("-n", "--tokens", type=int, default=64)
    parser.add_argument("-t", "--threads", type=int, default=physical_cores())
    parser.add_argument("-b", "--batch-size", type=int, default=128)
    parser.add_argument("--repack", action="store_true")
    parser.add_argument("--flash-attention", choices=("auto", "on", "off"), default="auto")
    parser.add_argument("--within", type=float, default=0.03)
    given = parser.parse_args()
    conditions = Conditions(
        given.model, given.prompt_tokens, given.tokens, given.repeat, given.threads, given.batch_size, given.repack,
        given.flash_attention,
    )  # fmt: skip
    load = os.getloadavg()[0]
    pairs = rounds(
        given.rounds, lambda: phi(conditions, given.llama_server), lambda: llama_bench(conditions, given.llama_bench)
    )
    builds = {(ours.build, theirs.build) for ours, theirs in pairs}
    for ours, theirs in builds:
        if not same_build(ours, theirs):
            raise SystemExit(f"two builds: phi measured {ours}, llama-bench is {theirs}")
    prompts = [[pair[side].prompt for pair in pairs] for side in (0, 1)]
    answers = [[pair[side].decode for pair in pairs] for side in (0, 1)]
    rows = [
        row(f"prompt, {given.prompt_tokens} tokens", prompts[0], prompts[1], given.within),
        row(f"generation, {given.tokens} tokens", answers[0], answers[1], given.within),
    ]
    head = ("", "phi bench", "llama-bench", "ratio", "95 % confidence interval", "of the fastest")
    print(f"| {' | '.join([*head, f'within {given.within:.0%}'])} |".replace("|  |", "| |"))
    print("| --- | ---: | ---: | ---: | ---: | ---: | --- |")
    print("\n".join(f"| {' | '.join(one.cells)} |" for one in rows))
    rates = [statistics.fmean(theirs.decode) for _, theirs in pairs]
    spread = max(rates) / min(rates) - 1
    print(
        f"\n{given.model.name}, {given.rounds} rounds of {given.repeat} in turn, {given.threads} threads, batch "
        f"{given.batch_size}, repacking {'on' if given.repack else 'off'}, flash attention {given.flash_attention}; "
        f"{next(iter(builds))[0]}; {platform.system()} {platform.machine()}, load average {load:.1f} before; "
        f"llama-bench's own generation speed varied by {spread:.1%} between rounds."
    )
    return 0 if all(one.near for one in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
