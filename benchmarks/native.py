"""How near ``phi`` comes to llama.cpp's own ``llama-bench``, compiled for this processor: same file, same settings.

``python -m benchmarks.native --llama-bench PATH`` (or ``--build FOLDER``, which compiles it from the sources of the
installed xllamacpp in some seven minutes) runs both in turn on a synthetic Phi-4-mini and prints a Markdown table:
prompt processing and generation, by the clock and by CPU time, with the weights as they are in the file and repacked,
for the kernels of the wheel and native ones (``--kernels both``). ``phi`` has its settings for one answer, and
``llama-bench`` gets the same threads, batch size and flash attention.

What they do differs a little. ``llama-bench`` evaluates random tokens and takes no sample; ``phi`` chooses each token
from the whole vocabulary and receives it over HTTP, which is counted, in CPU time also the work of ``phi`` itself.

``--llama-server PATH`` measures ``phi bench --engine llama-server`` instead, by the clock: how far the numbers of
``phi bench`` can be trusted. Both programs have to be of one build.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.comparison import NO_GOAL, Beginning, Goal, Row, head, in_turn
from benchmarks.llama_bench import Speeds, Work, build, llama_bench
from benchmarks.models import synthetic_file
from benchmarks.sides import Loaded, Rate, Side, add_kernels, checkouts, is_native, phi_of, private_environment
from phicli.engine.settings import EngineSettings
from phicli.hardware.cpu import physical_cores
from phicli.records.statistics import ratio_interval

LLAMA_BENCH: Final = "llama-bench"
PHI_BENCH: Final = "`phi bench --engine llama-server`"
GOAL: Final = Goal("≥ 0.95 x", "≥ 1.0 x")
SAME: Final = Goal("0.97 to 1.03 x")
_EQUAL: Final = ("threads", "batch_tokens", "flash_attention")
Round = Callable[[], Speeds]


def phi_loaded(loaded: Loaded, work: Work, bodies: Iterator[int]) -> Speeds:
    """One round of a model that ``phi`` has loaded."""
    prompt, generation = [], []
    for _ in range(work.repeat):
        first = next(bodies)  # a prompt that the engine has not seen, so that nothing of it is cached
        prompt.append(loaded.prompt_rate(range(first, first + work.prompt_tokens)))
        generation.append(loaded.generation_rate([first - 1], work.generated_tokens))
    return Speeds(tuple(prompt), tuple(generation), loaded.build)


def phi_bench(work: Work, server: Path) -> Speeds:
    """One round of ``phi bench --engine llama-server``; its history goes to a folder that is removed."""
    command = [
        phi_of(sys.executable), "bench", str(work.model), "--json",
        "--engine", "llama-server", "--llama-server", str(server),
        "-p", str(work.prompt_tokens), "-n", str(work.generated_tokens),
        "-r", str(work.repeat), "-t", str(work.threads), "-b", str(work.batch_tokens),
        "--repack", "on" if work.repack else "off", "--flash-attention", work.flash_attention,
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as home:
        environment = private_environment(Path(home))
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"phi bench ended with {done.returncode}: {done.stdout[-500:]}{done.stderr[-2000:]}")
    (run,) = json.loads(done.stdout)["data"]["runs"]
    prompt = tuple(Rate(1000 * run["prompt_tokens"] / sample["prompt_ms"], 0) for sample in run["samples"])
    generation = tuple(Rate(1000 * run["generated_tokens"] / sample["decode_ms"], 0) for sample in run["samples"])
    return Speeds(prompt, generation, run["build"])


def against_phi(rounds: int, work: Work, ours: Sequence[Side], binary: Path) -> dict[str, list[Speeds]]:
    """All rounds of each side, by its name."""
    bodies = itertools.count(1000, work.prompt_tokens + 1)
    with contextlib.ExitStack() as stack:
        sides: dict[str, Round] = {}
        for side in ours:
            loaded = stack.enter_context(side.loaded(work.model, "one answer", "on" if work.repack else "off"))
            check_settings(loaded, work)
            phi_loaded(loaded, work, bodies)  # not counted; llama-bench warms up by itself
            sides[side.name] = partial(phi_loaded, loaded, work, bodies)
        return in_turn(rounds, sides | {LLAMA_BENCH: partial(llama_bench, work, binary)}, warm=False)


def against_phi_bench(rounds: int, work: Work, server: Path, binary: Path) -> dict[str, list[Speeds]]:
    """All rounds of ``phi bench`` with a ``llama-server``, and of ``llama-bench``."""
    sides: dict[str, Round] = {PHI_BENCH: partial(phi_bench, work, server)}
    return in_turn(rounds, sides | {LLAMA_BENCH: partial(llama_bench, work, binary)}, warm=False)


def check_settings(loaded: Loaded, work: Work) -> None:
    """Return where ``phi`` has chosen the settings that ``llama-bench`` will get.

    Raises:
        RuntimeError: it has not.
    """
    chosen = {name: loaded.settings[name] for name in _EQUAL}
    given = {name: getattr(work, name) for name in _EQUAL}
    if chosen != given:
        raise RuntimeError(f"phi has chosen {chosen}, but llama-bench gets {given}")


def same_build(ours: str, theirs: str) -> bool:
    """Whether both are of one build: its number stands in what either says. One compiled without git has number 0."""
    number = theirs.partition(" ")[0]
    return number == "0" or number in re.findall(r"\d+", ours)


def rows(work: Work, ours: Sequence[Speeds], theirs: Sequence[Speeds], goal: Goal) -> Iterator[str]:
    """Rows of the table: each speed by CPU time, where that is known, and by the clock."""
    repacked = "repacked" if work.repack else "as in the file"
    for what, key in (
        (f"prompt processing, {work.prompt_tokens} tokens", "prompt"),
        (f"generation, {work.generated_tokens} tokens", "generation"),
    ):
        for by, name, aim in (("CPU time", "cpu", goal), ("the clock", "clock", SAME if goal is SAME else NO_GOAL)):
            sides = [[_mean(getattr(speeds, key), name) for speeds in side] for side in (ours, theirs)]
            if all(sides[0]):
                row = Row(f"{what}, weights {repacked}, by {by}", sides[0], sides[1], "tokens/s", aim)
                yield row.markdown(_interval(row))


def _mean(rates: Sequence[Rate], name: str) -> float:
    return statistics.fmean(getattr(rate, name) for rate in rates)


def _interval(row: Row) -> str:
    """The 95 % interval of the ratio, by pairs of rounds; empty for one round."""
    found = ratio_interval(row.ours, row.theirs, paired=True)
    return f"{found.low:.3f} to {found.high:.3f}" if found and found.low is not None and found.high else ""


def tables(found: Sequence[tuple[Work, Mapping[str, Sequence[Speeds]]]]) -> Iterator[str]:
    """A table for each of our sides, of all the work that was done."""
    _, first = found[0]
    for name in first:
        if name == LLAMA_BENCH:
            continue
        ours, theirs = first[name][0].build, first[LLAMA_BENCH][0].build
        yield f"\n{name} ({ours}), against `llama-bench` (build {theirs}):\n"
        yield head("`phi`", "`llama-bench`", "95 % confidence interval")
        for work, speeds in found:
            yield from rows(work, speeds[name], speeds[LLAMA_BENCH], goal_of(name, ours))


def goal_of(name: str, build: str) -> Goal:
    """What the ratio should be: with the kernels of the wheel, which use no AVX-512, there is no target."""
    if name == PHI_BENCH:
        return SAME
    return GOAL if is_native(build) else NO_GOAL


def check_builds(found: Mapping[str, Sequence[Speeds]]) -> None:
    """Return where all sides are of one build; end the program where they are not."""
    theirs = found[LLAMA_BENCH][0].build
    for speeds in found.values():
        if not same_build(speeds[0].build, theirs):
            sys.exit(f"two builds: phi measured {speeds[0].build}, but llama-bench is {theirs}")


def facts(work: Work, rounds: int) -> list[str]:
    """What else has to be known of the measurement."""
    return [
        f"{work.model.name}, {rounds} rounds of {work.repeat} in turn: medians, with the least and the greatest value "
        "in brackets; the interval is that of the ratio of pairs of rounds",
        "By CPU time: tokens per CPU second of all processes, times the threads",
        f"Both sides: {work.threads} threads, batch size {work.batch_tokens}, flash attention {work.flash_attention}",
    ]


def options() -> argparse.Namespace:
    """What was typed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    theirs = parser.add_mutually_exclusive_group(required=True)
    theirs.add_argument("--llama-bench", type=Path, metavar="PATH", help="the program")
    theirs.add_argument("--build", type=Path, metavar="FOLDER", help="compile it in this folder, if it is not there")
    parser.add_argument("--llama-server", type=Path, metavar="PATH", help="measure `phi bench` with this program")
    add_kernels(parser)
    parser.add_argument("--model", type=Path, help="a GGUF file (default: the synthetic Phi-4-mini)")
    parser.add_argument("--layers", type=int, help="fewer layers of the synthetic one, for a quick look")
    parser.add_argument("--repack", choices=("off", "on", "both"), default="both", help="weights (default: both)")
    parser.add_argument("--runs", type=int, default=5, help="rounds (default: 5)")
    parser.add_argument("--repeat", type=int, default=1, help="repetitions in a round (default: 1)")
    parser.add_argument("-p", "--prompt-tokens", type=int, default=256)
    parser.add_argument("-n", "--tokens", type=int, default=32)
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    given, began = options(), Beginning.now()
    binary = given.llama_bench or build(given.build)
    model, settings = given.model or synthetic_file(given.layers), EngineSettings.for_cores(physical_cores())
    found = []
    with tempfile.TemporaryDirectory() as folder:
        ours = [] if given.llama_server else checkouts(given.kernels, Path(folder), given.home)
        for repack in (False, True) if given.repack == "both" else (given.repack == "on",):
            work = Work(
                model, given.prompt_tokens, given.tokens, given.repeat, settings.threads, settings.batch_tokens,
                repack, settings.flash_attention,
            )  # fmt: skip
            if given.llama_server:
                speeds = against_phi_bench(given.runs, work, given.llama_server, binary)
            else:
                speeds = against_phi(given.runs, work, ours, binary)
            check_builds(speeds)
            found.append((work, speeds))
    print("\n".join([*tables(found), "", *began.conditions(facts(work, given.runs))]))


if __name__ == "__main__":
    main()
