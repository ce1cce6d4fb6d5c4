"""What ``phi serve`` costs beside the engine, and what it saves: ``python -m benchmarks.serve [MODEL.gguf]``.

Without a file the model is SmolLM2-135M-Instruct, which is fetched once. The server and an engine of its own, loaded
with the same settings, answer the same prompts in turn (A B B A …); both are read by the same client, line by line.

- *time per token*: of a streamed answer through the server, against the engine's own ``/completion``
- *time to the first token*: the same, where the prompt is new to both; the difference is the server's own time
- *two conversations*: 600 tokens each, one turn of either in turn; the second turn answers from what is cached
- *four clients at once*, against the same four one after the other: tokens per second
- *memory*: the resident size of the server before its first request, and after the model was unloaded

The numbers of another model are measured with its file: ``python -m benchmarks.serve $(python -m benchmarks.serve
--synthetic 8)`` makes a Phi-4-mini of 8 layers with random weights.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.parse import urlsplit

import psutil

from benchmarks.comparison import Beginning, Goal, Row, head, in_turn
from benchmarks.models import synthetic_file
from phicli.answering.opening import open_model
from phicli.chat_format.types import Message
from phicli.engine.server_engine import LlamaServerEngine
from phicli.plan.chat_options import ChatOptions
from phicli.plan.load import Use
from phicli.plan.locate import locate
from tests.support.smollm2 import smollm2_file

TOKENS: Final = 64
STORY: Final = "Tell a long story about a river, a mill and the people who live there. Version {}."
LONG: Final = "Notes of day {0}: the river was high, the mill stood still, and nobody came to the village. " * 30


@dataclass(frozen=True, slots=True)
class Streamed:
    """One streamed answer: milliseconds to its first text, from there to the last, and its tokens."""

    first_ms: float
    rest_ms: float
    tokens: int
    cached: int = 0

    @property
    def per_token_ms(self) -> float:
        """Milliseconds for each token behind the first."""
        return self.rest_ms / max(self.tokens - 1, 1)


def _lines(address: str, path: str, body: Mapping[str, Any], key: str = "any") -> Iterator[tuple[float, Any]]:
    """The events of a stream, each with the milliseconds after the request."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=600)
    began = time.perf_counter()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    connection.request("POST", path, json.dumps(body), headers)
    with contextlib.closing(connection), connection.getresponse() as reply:
        if reply.status != 200:
            raise RuntimeError(f"{path}: {reply.status} {reply.read().decode(errors='replace')}")
        for line in reply:
            if line.startswith(b"data: ") and not line.startswith(b"data: [DONE]"):
                yield 1000 * (time.perf_counter() - began), json.loads(line[6:])


def through_server(address: str, model: str, messages: Sequence[Mapping[str, str]], most: int = TOKENS) -> Streamed:
    """An answer through the server."""
    body = {
        "model": model, "messages": list(messages), "stream": True, "stream_options": {"include_usage": True},
        "temperature": 0, "max_tokens": most,
    }  # fmt: skip
    marks, usage = list[float](), dict[str, Any]()
    for at_ms, event in _lines(address, "/v1/chat/completions", body):
        usage = event.get("usage") or usage
        if any(choice["delta"].get("content") for choice in event["choices"]):
            marks.append(at_ms)
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    return Streamed(marks[0], marks[-1] - marks[0], usage["completion_tokens"], cached)


def through_engine(
    address: str, key: str, ids: Sequence[int], sampling: Mapping[str, Any], most: int = TOKENS
) -> Streamed:
    """The same of the engine alone; ``ids`` are the prompt."""
    body = {"prompt": list(ids), **sampling, "n_predict": most, "stream": True, "cache_prompt": True,
            "timings_per_token": True, "return_tokens": True}  # fmt: skip
    events = list(_lines(address, "/completion", body, key))
    marks = [at_ms for at_ms, event in events if event.get("content")]
    return Streamed(marks[0], marks[-1] - marks[0], int(events[-1][1]["tokens_predicted"]))


class Served:
    """``phi serve`` with one model, in a process of its own."""

    def __init__(self, model: Path, *more: str) -> None:
        self._folder = tempfile.TemporaryDirectory()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PHI_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "phicli", "serve", str(model), "--port", "0", *more], stdout=subprocess.PIPE,
            text=True, env=kept | {"PHI_HOME": self._folder.name},
        )  # fmt: skip
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        self.model = model.name

    def ask(self, text: str, most: int = TOKENS) -> Streamed:
        """One question."""
        return through_server(self.address, self.model, [{"role": "user", "content": text}], most)

    def memory_mb(self) -> float:
        """The resident size of the process and its workers."""
        own = psutil.Process(self.process.pid)
        return sum(one.memory_info().rss for one in (own, *own.children(recursive=True))) / 1e6

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait()
        self._folder.cleanup()


def beside_the_engine(model: Path, rounds: int) -> Iterator[str]:
    """Rows of the time per token and of the time to the first one."""
    with (
        contextlib.closing(Served(model)) as served,
        open_model(locate(str(model)), ChatOptions(temperature=0.0), Use.CONVERSATION) as opened,
    ):
        engine = opened.engines[-1]
        assert isinstance(engine, LlamaServerEngine)
        engine.wait_ready()
        address, key = engine._await_process(None), engine._process.api_key
        sampling = {**opened.plan.sampling.to_data(), "seed": 1}
        texts = (STORY.format(number) for number in range(10**6))

        def by_engine() -> Streamed:
            ids = opened.model.prompt((Message("user", next(texts)),)).token_ids
            return through_engine(address, key, ids, sampling)

        found = in_turn(rounds, {"phi serve": lambda: served.ask(next(texts)), "engine": by_engine})
    ours, theirs = found["phi serve"], found["engine"]
    row = Row("time per token", [one.per_token_ms for one in ours], [one.per_token_ms for one in theirs], "ms")
    added = median(row.ours) - median(row.theirs)
    yield row.markdown(f"{added:+.2f} ms a token, ≤ 1 ms")
    row = Row("time to the first token", [one.first_ms for one in ours], [one.first_ms for one in theirs], "ms")
    added = median(row.ours) - median(row.theirs)
    yield row.markdown(f"{added:+.0f} ms, ≤ 50 ms")


def together(model: Path, rounds: int, clients: int = 4) -> Iterator[str]:
    """The row of several clients at once against one after the other, in tokens per second."""
    with contextlib.closing(Served(model, "--parallel", str(clients))) as served:
        texts = (STORY.format(number) for number in range(10**6))

        def rate(threads: int) -> float:
            asked = [next(texts) for _ in range(clients)]
            began = time.perf_counter()
            with ThreadPoolExecutor(threads) as pool:
                tokens = sum(one.tokens for one in pool.map(served.ask, asked))
            return tokens / (time.perf_counter() - began)

        found = in_turn(rounds, {"at once": lambda: rate(clients), "in turn": lambda: rate(1)})
    yield Row(f"{clients} clients at once, one after the other", found["at once"], found["in turn"], "tokens/s",
              Goal("2 x", "")).markdown("")  # fmt: skip


def alternating(model: Path) -> str:
    """How soon the second turns of two conversations begin, which take turns."""
    with contextlib.closing(Served(model)) as served:
        talks: list[list[dict[str, str]]] = [[{"role": "user", "content": LONG.format(day)}] for day in (1, 2)]
        times = []
        for turn in range(4):
            for talk in talks:
                answer = through_server(served.address, served.model, talk, 8)
                if turn:
                    times.append((answer.first_ms, answer.cached))
                talk += [{"role": "assistant", "content": "Yes."}, {"role": "user", "content": "And then?"}]
    slowest, cached = max(first for first, _ in times), min(cached for _, cached in times)
    return (
        f"- Two conversations in turn: the next turn begins after {median(first for first, _ in times):.0f} ms, "
        f"at most {slowest:.0f} ms (target 300 ms); at least {cached} tokens of each prompt were cached"
    )


def memory(model: Path) -> str:
    """Memory of the server before its first request, and when the model was unloaded."""
    with contextlib.closing(Served(model, "--keep-alive", "0")) as served:
        before = served.memory_mb()
        served.ask(STORY.format(0), 4)
        time.sleep(3)
        after = served.memory_mb()
    return f"- Memory: {before:.0f} MB before the first request, {after:.0f} MB after the model was unloaded (≤ 120 MB)"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--synthetic", type=int, metavar="LAYERS", help="make this model, and print its path")
    wanted = parser.parse_args()
    if wanted.synthetic:
        print(synthetic_file(wanted.synthetic))
        return
    model, beginning = wanted.model or smollm2_file(), Beginning.now()
    print(head("`phi serve`", "the engine alone", "added, target"))
    print("\n".join(beside_the_engine(model, wanted.rounds)))
    print("\n" + head("at once", "in turn", ""))
    print("\n".join(together(model, wanted.rounds)))
    print("\n".join(["", alternating(model), memory(model), *beginning.conditions([f"Model: {model.name}"])]))


if __name__ == "__main__":
    main()
