"""What a server that has the model loaded saves: ``phi chat`` with it against ``phi chat`` alone.

``python -m benchmarks.attach`` starts ``phi serve`` in a home of its own and asks one question of 12 tokens again and
again, each time with other words, so that no side finds its prompt evaluated: of ``phi chat``, which uses the engine of
the server, and of ``phi chat --no-attach``. Both take turns. The second table is the cost of looking for a server where
none runs, on tiny-phi. ``--layers 2`` is a quick look, with other ratios.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.comparison import Beginning, Goal, Row, head, in_turn
from benchmarks.models import synthetic_file
from benchmarks.processes import Measured, measure
from benchmarks.sides import phi_of

FIRST_TOKEN: Final = Goal("≤ 0.4 x", "≤ 0.3 x")
_PIECES: Final = 2
_SMALL_ROUNDS: Final = 4


@contextlib.contextmanager
def serving(environment: Mapping[str, str]) -> Iterator[None]:
    """``phi serve`` runs within the context, and has no model loaded yet."""
    command = [phi_of(sys.executable), "serve", "--port", "0", "--keep-alive", "forever"]
    with subprocess.Popen(command, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.terminate()


def question(model: Path, environment: Mapping[str, str], numbers: Iterator[int], *more: str) -> Measured:
    """One question with words that were not asked before; the process is ended after a few tokens."""
    words = f"{next(numbers)} is what color?"
    command = [phi_of(sys.executable), "chat", "-q", str(model), words, *more]
    return measure(command, environment=environment, pieces=_PIECES)


def first_token(rounds: int, model: Path, environment: Mapping[str, str]) -> Iterator[Row]:
    """From the start of the process to its first output, by the clock and in CPU time of the process itself."""
    numbers = itertools.count(100)
    ask = partial(question, model, environment, numbers)
    with serving(environment):
        found = in_turn(rounds, {"attached": ask, "alone": partial(ask, "--no-attach")})
    attached, alone = found["attached"], found["alone"]
    what = "process start to first token, 12-token prompt"
    times = ([run.first_output_s for run in runs] for runs in (attached, alone))
    yield Row(what, *times, "s", FIRST_TOKEN)
    times = ([run.first_output_cpu_s for run in runs] for runs in (attached, alone))
    yield Row(f"{what}, CPU time of the process and its children", *times, "s")
    sizes = ([run.peak_rss_bytes / 1e9 for run in runs] for runs in (attached, alone))
    yield Row("peak resident memory of the process and its children", *sizes, "GB")


def looking(rounds: int, environment: Mapping[str, str]) -> Row:
    """``phi chat`` where no server runs: with the look for one, and without."""
    command = [phi_of(sys.executable), "chat", "-q", "tiny-phi", "hello"]
    ask = partial(measure, environment=environment)
    sides = {"looks": partial(ask, command), "does not": partial(ask, [*command, "--no-attach"])}
    found = in_turn(rounds * _SMALL_ROUNDS, sides)
    looks, does_not = ([1000 * run.first_output_s for run in found[name]] for name in sides)
    return Row("`phi chat tiny-phi` without a server, against `--no-attach`", looks, does_not, "ms", Goal("≤ 1.02 x"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--layers", type=int, help="fewer layers, for a quick look")
    parser.add_argument("--runs", type=int, default=5, help="counted rounds (default: 5)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PHI_HOME": folder}
        began = Beginning.now()
        rows = list(first_token(options.runs, synthetic_file(options.layers), environment))
        others = [looking(options.runs, environment)]
    print(head("`phi chat` with `phi serve`", "`phi chat --no-attach`"))
    print("\n".join(row.markdown() for row in [*rows, *others]))
    print()
    print("\n".join(began.conditions([f"Medians of {options.runs} rounds in turn, least and greatest in brackets"])))


if __name__ == "__main__":
    main()
