"""How soon the first token comes, how fast the next ones, and what it costs: this checkout against version 0.1.

``python -m benchmarks.cold_start`` makes a synthetic Phi-4-mini (true dimensions, random weights, Q4_K_M, 2.49 GB) and
an environment with version 0.1 in a cache folder, keeps them, and prints a Markdown table for the kernels of the wheel
and another one for native kernels (``--kernels both``). All sides take turns in the same run (A B C C B A …); a ratio
is that of the medians.

- First token and memory: ``phi chat -q FILE "Is the sky blue?"`` and ``phi chat -q FILE < TEXT``; the process is ended
  after a few tokens. Each version counts the tokens of both prompts itself, with its chat format. CPU time is that of
  all processes up to the first token.
- Speed: the engine of each version with the settings that it chooses for one answer or for a conversation, asked for
  one token after a prompt of 256 tokens that it has not seen, and for 32 more after a prompt of 16.

``--against engine-defaults`` compares with the same engine and its own defaults. ``--layers 2 --runs 1`` is a quick
look, with other ratios.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from benchmarks.comparison import NO_GOAL, Beginning, Goal, Row, head, in_turn
from benchmarks.models import synthetic_file, vocabulary_file
from benchmarks.processes import Measured, measure
from benchmarks.sides import (
    Loaded,
    Rate,
    Side,
    add_kernels,
    checkouts,
    engine_defaults,
    older,
    phi_of,
    prompt_tokens,
)

T = TypeVar("T")
VERSION_0_1: Final = "6539993"
DEFAULTS: Final = "engine-defaults"
SHORT: Final = "Is the sky blue?"
LONG: Final = (
    "The sky is blue because the air scatters blue light more than red light. " * 25
    + "Is the sky blue? Why is the sky blue?"
)
PROMPT_TOKENS: Final = {SHORT: 12, LONG: 1000}
"""With the chat format of Phi-4-mini."""
_READ_TOKENS: Final = 256
_DEPTH_TOKENS: Final = 16
_GENERATED_TOKENS: Final = 32
_SETTINGS: Final = ("threads", "batch_tokens", "repack", "flash_attention", "kv_type")
_HELP_RUNS: Final = 6
BARE_APP: Final = """
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
NATIVE: Final = {
    "short": Goal("≤ 0.75 x", "≤ 0.6 x"),
    "long": Goal("≤ 0.55 x", "≤ 0.45 x"),
    "memory": Goal("≤ 0.87 x", "≤ 0.82 x"),
    "prompt": Goal("≥ 2.0 x", "≥ 2.2 x"),
    "generation": Goal("≥ 1.15 x", "≥ 1.3 x"),
    "help": Goal("≤ 1.2 x", "≤ 1.1 x"),
}
WHEEL: Final = {"short": Goal("≤ 0.88 x"), "memory": NATIVE["memory"], "help": NATIVE["help"]}
AGAINST_DEFAULTS: Final = {"short": Goal("≤ 0.5 x"), "memory": Goal("≤ 0.75 x"), "help": NATIVE["help"]}


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured of one side: a run or a rate for each round."""

    short: Sequence[Measured]
    long: Sequence[Measured]
    prompt: Sequence[Rate]
    generation: Sequence[Rate]
    busy: Sequence[Rate] = ()


class Speeds:
    """All sides with the model loaded: for one answer, and ours for a conversation too."""

    def __init__(self, stack: contextlib.ExitStack, model: Path, ours: Sequence[Side], theirs: Side) -> None:
        def load(side: Side, use: str) -> Loaded:
            return stack.enter_context(side.loaded(model, use))

        self._bodies = itertools.count(1)
        self.one_answer = {side.name: load(side, "one answer") for side in (*ours, theirs)}
        self.generating = {side.name: load(side, "conversation") for side in ours}
        self.generating[theirs.name] = self.one_answer[theirs.name]

    def prompt(self, rounds: int) -> dict[str, list[Rate]]:
        """Processing a prompt with the settings of one answer."""
        asked = {name: partial(self._prompt, one) for name, one in self.one_answer.items()}
        return in_turn(rounds, asked)

    def generation(self, rounds: int) -> dict[str, list[Rate]]:
        """Generating with the settings of a conversation; the other side's with those of one answer."""
        asked = {name: partial(self._generation, one) for name, one in self.generating.items()}
        return in_turn(rounds, asked)

    def _prompt(self, loaded: Loaded) -> Rate:
        return loaded.prompt_rate(self._body(_READ_TOKENS))

    def _generation(self, loaded: Loaded) -> Rate:
        return loaded.generation_rate(self._body(_DEPTH_TOKENS), _GENERATED_TOKENS)

    def _body(self, tokens: int) -> range:
        """A prompt that the engine has not seen, so that nothing of it is cached."""
        first = 1000 + next(self._bodies) * _READ_TOKENS
        return range(first, first + tokens)


def measured(rounds: int, model: Path, ours: Sequence[Side], theirs: Side) -> tuple[dict[str, Found], Speeds]:
    """Everything, by the name of the side, and what was loaded (and has ended)."""
    sides = (*ours, theirs)
    short = in_turn(rounds, {side.name: partial(side.first_token, model, SHORT, piped=False) for side in sides})
    long = {side.name: partial(side.first_token, model, LONG, piped=True) for side in sides}
    waits = in_turn(rounds, long, warm=False)  # the file is in memory by now
    with contextlib.ExitStack() as stack:
        speeds = Speeds(stack, model, ours, theirs)
        prompt, generation = speeds.prompt(rounds), speeds.generation(rounds)
        busy: Mapping[str, Sequence[Rate]] = {}
        if theirs.spelled:
            with another_program():
                busy = speeds.generation(min(rounds, 3))
    return {
        name: Found(short[name], waits[name], prompt[name], generation[name], busy.get(name, ())) for name in short
    }, speeds


@contextlib.contextmanager
def another_program() -> Iterator[None]:
    """Another program keeps one core busy meanwhile."""
    spinning = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        spinning.kill()
        spinning.wait()


def rows(ours: Found, theirs: Found, goals: Mapping[str, Goal]) -> Iterator[Row]:
    """The rows of a table, but for ``phi --help``; rates in CPU time have the same goals as those by the clock."""
    for key, name, mine, others in (
        ("short", "12-token prompt", ours.short, theirs.short),
        ("long", "1,000-token prompt", ours.long, theirs.long),
    ):
        what, goal = f"process start to first token, {name}", goals.get(key, NO_GOAL)
        yield row(what, mine, others, lambda run: run.first_output_s, "s", goal)
        yield row(f"{what}, CPU time", mine, others, lambda run: run.first_output_cpu_s, "s")
    what, goal = "peak resident memory of all processes, 12-token prompt", goals.get("memory", NO_GOAL)
    yield row(what, ours.short, theirs.short, lambda run: run.peak_rss_bytes / 1e9, "GB", goal)
    for key, what, rates, other_rates in (
        ("prompt", "prompt processing, settings of one answer", ours.prompt, theirs.prompt),
        ("generation", "generation, conversation against one answer", ours.generation, theirs.generation),
        ("busy", "generation while another program keeps one core busy", ours.busy, theirs.busy),
    ):
        if rates:
            goal = goals.get(key, NO_GOAL)
            yield row(what, rates, other_rates, lambda rate: rate.clock, "tokens/s", goal)
            yield row(f"{what}, by CPU time", rates, other_rates, lambda rate: rate.cpu, "tokens/s", goal)


def row(
    what: str, ours: Sequence[T], theirs: Sequence[T], value: Callable[[T], float], unit: str, goal: Goal = NO_GOAL
) -> Row:
    """A row of one value of each run."""
    return Row(what, [value(run) for run in ours], [value(run) for run in theirs], unit, goal)


def help_row(rounds: int, environment: Mapping[str, str]) -> Row:
    """``phi --help`` against a Typer application with two commands and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.py"
        bare.write_text(BARE_APP, encoding="utf-8")
        commands = {"phi": [phi_of(sys.executable)], "bare": [sys.executable, str(bare)]}
        sides = {
            name: partial(measure, [*command, "--help"], environment=environment) for name, command in commands.items()
        }
        found = in_turn(rounds * _HELP_RUNS, sides)
    mine, others = ([1000 * run.first_output_s for run in found[name]] for name in sides)
    return Row("`phi --help` against a bare Typer app with two commands", mine, others, "ms")


def check(sides: Sequence[Side]) -> None:
    """Return where all sides count as many tokens as the rows say, and have loaded the kernels that they should.

    Raises:
        RuntimeError: one of them does not, or has not.
    """
    for side in sides:
        for prompt, expected in PROMPT_TOKENS.items():
            counted = prompt_tokens(side, vocabulary_file(), prompt)
            if counted != expected:
                raise RuntimeError(f"{side.name} counts {counted} tokens instead of {expected}: {prompt[:40]}…")
        with side.loaded(vocabulary_file(), "one answer"):
            pass


def tables(
    ours: Sequence[Side], theirs: Side, found: Mapping[str, Found], builds: Mapping[str, str], last: Row
) -> Iterator[str]:
    """A table for each of our sides."""
    for side in ours:
        goals = AGAINST_DEFAULTS if theirs.spelled else NATIVE if side.kernels == "native" else WHEEL
        yield f"\n{side.name} ({builds[side.name]}), against {theirs.name} ({builds[theirs.name]}):\n"
        yield head("`phi`", theirs.name)
        for row in (*rows(found[side.name], found[theirs.name], goals), replace(last, goal=goals["help"])):
            yield row.markdown()


def facts(speeds: Speeds, rounds: int) -> Iterator[str]:
    """What was loaded, and how it was set."""
    yield f"Medians of {rounds} rounds in turn, with the least and the greatest value in brackets"
    yield "By CPU time: tokens per CPU second of all processes, times the threads"
    named: dict[str, list[str]] = {}
    for use, loaded in (("one answer", speeds.one_answer), ("generation", speeds.generating)):
        for name, one in loaded.items():
            settings = ", ".join(f"{key} {one.settings[key]}" for key in _SETTINGS if key in one.settings)
            named.setdefault(settings, []).append(f"{name} for {use}")
    yield from (f"Settings {settings}: {'; '.join(names)}" for settings, names in named.items())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--against", choices=("0.1", DEFAULTS), default="0.1", help="the other side (default: 0.1)")
    parser.add_argument(
        "--baseline", default=VERSION_0_1, metavar="COMMIT", help="of version 0.1 (default: %(default)s)"
    )
    parser.add_argument("--layers", type=int, help="fewer layers, for a quick look")
    parser.add_argument("--runs", type=int, default=5, help="counted rounds (default: 5)")
    add_kernels(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ours = checkouts(options.kernels, Path(folder), options.home)
        theirs = engine_defaults(Path(folder)) if options.against == DEFAULTS else older(options.baseline, Path(folder))
        check([side for side in (*ours, theirs) if not side.spelled])
        model, began = synthetic_file(options.layers), Beginning.now()
        last = help_row(options.runs, ours[0].environment)
        found, speeds = measured(options.runs, model, ours, theirs)
    builds = {name: loaded.build for name, loaded in speeds.one_answer.items()}
    print("\n".join(tables(ours, theirs, found, builds, last)))
    print()
    print("\n".join(began.conditions(list(facts(speeds, options.runs)))))


if __name__ == "__main__":
    main()
