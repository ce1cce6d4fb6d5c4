"""What ``phi batch`` gains and costs: ``python -m benchmarks.batch [MODEL.gguf]``.

Without a file the model is SmolLM2-135M-Instruct, which is fetched once. The sides take turns (A B B A …).

- *one after the other*: short answers to prompts with a common system message, as when texts are sorted, through
  ``phi batch``, and each through a ``phi chat`` of its own; whole commands, with starts of processes and loading
- *four slots*: tokens per second with ``--parallel 4`` against ``--parallel 1``, and what the engine alone gains from
  four requests at a time in the same rounds
- *several servers*: ``phi serve`` with a fixed time per token (``tests/support/paced.py``), one, two and four of them
  on the loopback interface, as if each had a machine of its own
- *overhead and memory*: 10,000 and 100,000 lines whose answers are there at once (no engine): reading, journal, output
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.comparison import Beginning, Goal, Row, head, in_turn
from benchmarks.serve import STORY, through_engine
from phicli.answering.asked import Asked
from phicli.answering.opening import open_model
from phicli.answering.types import Answer
from phicli.batch.job import run_batch
from phicli.batch.options import BatchOptions
from phicli.batch.types import Watch
from phicli.chat_format.types import Message
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.starting import start_engine
from phicli.engine.types import Usage
from phicli.jobs.planning import Needs
from phicli.jobs.workers import Outcome
from phicli.plan.chat_options import ChatOptions
from phicli.plan.load import Use
from phicli.plan.locate import locate
from tests.support.smollm2 import smollm2_file

TOKENS: Final = 32
SHORT: Final = 8
LINES: Final = 32
SYSTEM: Final = "You sort letters by what their writers want. " * 20
TOKEN_MS: Final = 50
"""Of the servers with a fixed pace."""
_PACED: Final = Path(__file__).parents[1] / "tests" / "support" / "paced.py"
_SCRIPTED: Final = Answer("yes", "", (), "stop", Usage(20, 1, 19), None, 0.0, 0.1, 0.1, None, 21)


class Home:
    """A folder with everything that ``phi`` keeps, and the files of batches."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PHI_")}
        self.environment = kept | {"PHI_HOME": str(folder / "home")}
        self._number = 0

    def phi(self, *arguments: str) -> str:
        """What a command prints."""
        command = [sys.executable, "-m", "phicli", *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{command} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def batch(self, prompts: Sequence[str], *arguments: str) -> Mapping[str, Any]:
        """What ``phi batch --json`` reports of a batch of these prompts."""
        self._number += 1
        source, out = self.folder / f"in-{self._number}.jsonl", self.folder / f"out-{self._number}.jsonl"
        source.write_text("".join(json.dumps({"prompt": one}) + "\n" for one in prompts), encoding="utf-8")
        printed = self.phi("batch", str(source), "--out", str(out), *arguments, "--temperature", "0", "--json")
        data: Mapping[str, Any] = json.loads(printed)["data"]
        if data["answered"] != len(prompts):
            raise RuntimeError(f"only {data['answered']} of {len(prompts)} lines were answered")
        return data


@contextlib.contextmanager
def new_home() -> Iterator[Home]:
    """An empty one, for the time of the context."""
    with tempfile.TemporaryDirectory() as folder:
        yield Home(Path(folder))


def stories(count: int) -> Iterator[list[str]]:
    """Lists of so many prompts; no two are the same."""
    number = 0
    while True:
        yield [STORY.format(number + one) for one in range(count)]
        number += count


def against_one_shots(model: Path, rounds: int) -> str:
    """The row of a batch against as many commands with one question each, in seconds."""
    texts, most = stories(LINES), ("--max-tokens", str(SHORT), "--system", SYSTEM)
    with new_home() as home:

        def one_shots() -> float:
            began = time.perf_counter()
            for text in next(texts):
                home.phi("chat", str(model), text, *most, "--temperature", "0", "--no-stdin", "--quiet")
            return time.perf_counter() - began

        def batch() -> float:
            prompts, began = next(texts), time.perf_counter()
            home.batch(prompts, str(model), *most)
            return time.perf_counter() - began

        found = in_turn(rounds, {"batch": batch, "one-shots": one_shots})
    faster = median(found["one-shots"]) / median(found["batch"])
    row = Row(
        f"{LINES} answers of {SHORT} tokens, whole commands",
        found["batch"],
        found["one-shots"],
        "s",
        Goal("≥ 5 x as fast"),
    )
    return row.markdown(f"{faster:.1f} x as fast")


def gain(model: Path, rounds: int) -> Iterator[str]:
    """The rows of four slots against one: of a batch, and of the engine alone."""
    texts, most = stories(LINES), ("--max-tokens", str(TOKENS))
    options = ChatOptions(temperature=0.0)
    with new_home() as home, open_model(locate(str(model)), options, Use.CONVERSATION) as opened:
        settings = replace(opened.engines[-1].settings, slots=4, warmup=True)  # type: ignore[attr-defined]
        engine = start_engine("xllamacpp", settings)
        assert isinstance(engine, LlamaServerEngine)
        with contextlib.closing(engine):
            engine.wait_ready()
            address, key = engine._await_process(None), engine._process.api_key
            sampling = {**opened.plan.sampling.to_data(), "seed": 1, "n_predict": TOKENS}

            def alone(threads: int) -> float:
                prompts = [opened.model.prompt((Message("user", one),)).token_ids for one in next(texts)]
                began = time.perf_counter()
                with ThreadPoolExecutor(threads) as pool:
                    answers = [*pool.map(lambda ids: through_engine(address, key, ids, sampling, TOKENS), prompts)]
                return sum(one.tokens for one in answers) / (time.perf_counter() - began)

            def batch(slots: int) -> float:
                data = home.batch(next(texts), str(model), *most, "--parallel", str(slots))
                return float(data["usage"]["completion_tokens"] / data["elapsed_s"])

            sides = {"b4": lambda: batch(4), "b1": lambda: batch(1), "e4": lambda: alone(4), "e1": lambda: alone(1)}
            found = in_turn(rounds, sides)
    batches = Row("`phi batch`: 4 slots, 1 slot", found["b4"], found["b1"], "tokens/s")
    engines = Row("the engine alone: 4 requests at a time, 1", found["e4"], found["e1"], "tokens/s")
    yield engines.markdown("")
    share = batches.ratio / engines.ratio
    yield replace(batches, goal=Goal("≥ 0.95 of the engine's gain")).markdown(f"{share:.2f} of the engine's gain")


@contextlib.contextmanager
def paced_servers(home: Home, count: int) -> Iterator[None]:
    """So many servers, each a remote of ``home``: ``s1``, ``s2``, …"""
    command = [sys.executable, "-P", str(_PACED), str(TOKEN_MS), "serve", "tiny-phi", "--port", "0", "--parallel", "4"]
    with contextlib.ExitStack() as stack:
        for number in range(1, count + 1):
            own = home.environment | {"PHI_HOME": str(home.folder / f"server-{number}")}
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=own)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            assert process.stdout is not None
            home.phi("remotes", "add", f"s{number}", f"{process.stdout.readline().strip()}/v1", "--kind", "phi")
        yield


def several_servers(rounds: int, lines: int = 256) -> Iterator[str]:
    """Rows of two and four servers against one, in lines per second."""
    prompts = ["What is the capital of France?"] * lines
    with new_home() as home, paced_servers(home, 4):

        def rate(count: int) -> float:
            names = [word for number in range(1, count + 1) for word in ("--remote", f"s{number}")]
            data = home.batch(prompts, "tiny-phi", *names, "--parallel", "4")
            return float(lines / data["elapsed_s"])

        found = in_turn(rounds, {"one": lambda: rate(1), "two": lambda: rate(2), "four": lambda: rate(4)})
    yield Row("two servers, one", found["two"], found["one"], "lines/s", Goal("≥ 1.9 x")).markdown("")
    yield Row("four servers, one", found["four"], found["one"], "lines/s", Goal("≥ 3.6 x")).markdown("")


class Scripted:
    """Answers at once, in four threads: the time of a batch is that of ``phi``."""

    name = "scripted"
    slots = 4

    def ask(self, item: Asked) -> Outcome:
        """The same answer to everything."""
        del item
        return Outcome(_SCRIPTED)

    def drain(self) -> None:
        """Nothing waits."""

    def stop(self) -> None:
        """Nothing is under way."""

    def about(self, watch: Watch) -> Mapping[str, Any]:
        """It depends on nothing."""
        del watch
        return {}

    @contextlib.contextmanager
    def open(self, needs: Needs, watch: Watch) -> Iterator[Sequence[Scripted]]:
        """Itself."""
        del needs, watch
        yield [self]


class Silent:
    """Shows nothing."""

    def show(self, text: str, left_s: float | None = None) -> None:
        """See :class:`~phicli.batch.types.Watch`."""

    def say(self, text: str) -> None:
        """See :class:`~phicli.batch.types.Watch`."""

    def warn(self, text: str) -> None:
        """See :class:`~phicli.batch.types.Watch`."""


def scripted(lines: int) -> None:
    """A batch of so many lines in this process; prints its seconds and its peak memory in MB."""
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "in.jsonl", Path(folder) / "out.jsonl"
        with source.open("w", encoding="utf-8") as file:
            file.writelines(
                json.dumps({"id": f"row-{one}", "prompt": STORY.format(one)}) + "\n" for one in range(lines)
            )
        began = time.perf_counter()
        run_batch(BatchOptions(str(source), out, "scripted", ChatOptions()), Scripted, Silent())
        seconds = time.perf_counter() - began
        with out.open(encoding="utf-8") as written:
            if sum(1 for _ in written) != lines:
                raise RuntimeError("the output has another number of lines")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1000)
    print(json.dumps({"seconds": seconds, "peak_mb": peak / (1e6 if sys.platform == "darwin" else 1)}))


def overhead(rounds: int) -> Iterator[str]:
    """Milliseconds per line, and how memory grows with ten times the lines."""

    def child(lines: int) -> Mapping[str, float]:
        command = [sys.executable, "-m", "benchmarks.batch", "--scripted", str(lines)]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        data: Mapping[str, float] = json.loads(printed)
        return data

    found = in_turn(rounds, {"few": lambda: child(10_000), "many": lambda: child(100_000)}, warm=False)
    per_line = [1000 * one["seconds"] / 100_000 for one in found["many"]]
    few, many = ([one["peak_mb"] for one in found[name]] for name in ("few", "many"))
    yield (
        f"- Overhead: {median(per_line):.2f} ms per line over 100,000 lines ({min(per_line):.2f} to "
        f"{max(per_line):.2f}; target ≤ 1 ms)"
    )
    yield f"- Peak memory: {median(many):.0f} MB with 100,000 lines, {median(few):.0f} MB with 10,000 (target: flat)"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scripted", type=int, metavar="LINES", help="one batch without an engine")
    wanted = parser.parse_args()
    if wanted.scripted:
        scripted(wanted.scripted)
        return
    model, beginning = wanted.model or smollm2_file(), Beginning.now()
    print(head("`phi batch`", "`phi chat`, one after the other", ""))
    print(against_one_shots(model, wanted.rounds))
    print("\n" + head("four", "one", ""))
    print("\n".join(gain(model, wanted.rounds)))
    print("\n" + head("several", "one", ""))
    print("\n".join(several_servers(wanted.rounds)))
    facts = [f"Model: {model.name}; servers: tiny-phi, {TOKEN_MS} ms per token, 4 answers at a time each"]
    print("\n".join(["", *overhead(min(wanted.rounds, 3)), *beginning.conditions(facts)]))


if __name__ == "__main__":
    main()
