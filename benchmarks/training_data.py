"""What ``phi data check`` costs: ``python -m benchmarks.training_data [--rounds 9] [--model NAME]``.

Without a model a check is to take at most six times as long as ``json.loads`` of every line. Both sides read the same
lines from memory, in turn and in the reverse turn, for examples of three lengths and for conversations with tools; CPU
time counts, so that other programs do not. Then the tokens per second are measured apart, by the clock, in the prompt
format of the model.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from benchmarks.comparison import Beginning, Goal, Row, head, in_turn
from phicli.plan.locate import locate
from phicli.training_data.checking import Checking, CheckOptions
from phicli.training_data.counting import open_counter
from phicli.training_data.report import Report

TARGET: Final = Goal("≤ 6 x")
SIZES: Final = {"short": (20_000, 10), "usual": (10_000, 60), "long": (1_500, 1_000)}
"""Number of examples, and words of a question and of an answer."""
WORDS: Final = [
    "the",
    "model",
    "learns",
    "a",
    "fact",
    "about",
    "Paris",
    "and",
    "France",
    "because",
    "someone",
    "wrote",
    "it",
    "down",
    "in",
    "a",
    "table",
    "of",
    "capitals",
    "with",
    "care,",
    "and",
    "some",
    "numbers",
    "such",
    "as",
    "42",
    "or",
    "1,024",
    "stand",
    "in",
    "it;",
    "l'été",
    "à",
    "Orléans,",
    "too",
    "—",
    "and",
    "x_y",
    "=",
    "f(x)",
    "<b>now</b>.",
]
TOOLS: Final = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Weather in a city",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]


@dataclass(frozen=True, slots=True)
class Data:
    """Lines of one kind."""

    name: str
    lines: Sequence[bytes]

    @property
    def content(self) -> bytes:
        """The file."""
        return b"".join(self.lines)


def plain(name: str, seed: int = 1) -> Data:
    """Examples of a system message, a question and an answer."""
    rng, (count, words) = random.Random(seed), SIZES[name]  # noqa: S311 (texts, not keys)

    def text() -> str:
        return " ".join(rng.choices(WORDS, k=words))

    made = []
    for number in range(count):
        said = [("system", "You are helpful."), ("user", text()), ("assistant", f"{text()} {number}")]
        made.append(_line({"messages": [{"role": role, "content": content} for role, content in said]}))
    return Data(name, made)


def with_tools(count: int = 8_000) -> Data:
    """Examples in which a tool is called."""
    made = []
    for number in range(count):
        function = {"name": "get_weather", "arguments": json.dumps({"city": f"City {number}"})}
        messages = [
            {"role": "user", "content": f"What is the weather in city {number}?"},
            {"role": "assistant", "content": "", "tool_calls": [{"id": "a", "type": "function", "function": function}]},
            {"role": "tool", "tool_call_id": "a", "content": '{"temperature": 21}'},
            {"role": "assistant", "content": "It has 21 degrees."},
        ]
        made.append(_line({"messages": messages, "tools": TOOLS}))
    return Data("with tools", made)


def check(data: bytes) -> Report:
    """A whole check, without a model."""
    checking = Checking(CheckOptions())
    checking.read(io.BytesIO(data), "train.jsonl")
    return checking.report()


def compared(data: Data, rounds: int) -> Row:
    """A check against ``json.loads`` of each line."""
    content = data.content
    if not check(content).usable:
        raise RuntimeError(f"{data.name}: the data is not good")
    sides: dict[str, Callable[[], float]] = {
        "phi": lambda: _timed(lambda: check(content)),
        "json": lambda: _timed(lambda: deque(map(json.loads, data.lines), maxlen=0)),
    }
    took = in_turn(rounds, sides)
    size = len(content) / 1e6
    return Row(f"{data.name}: {len(data.lines):,} examples, {size:.1f} MB", took["phi"], took["json"], "ms", TARGET)


def speeds(model: str, data: Sequence[Data], rounds: int) -> Iterator[str]:
    """Rows of a table: tokens per second of counting."""
    with open_counter(locate(model)) as counter:
        for one in data:
            found = []
            for _ in range(rounds + 1):
                checking = Checking(CheckOptions(), counter)
                checking.read(io.BytesIO(one.content), "train.jsonl")
                tokens = checking.report().tokens
                assert tokens is not None
                found.append(tokens.per_second)
            yield f"| {one.name} | {tokens.total:,} | {median(found[1:]):,.0f} |"


def _line(example: Any) -> bytes:
    return json.dumps(example, ensure_ascii=False).encode() + b"\n"


def _timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return 1000 * (time.process_time() - began)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--model", default="tiny-phi")
    wanted = parser.parse_args()
    beginning = Beginning.now()
    data = [*map(plain, SIZES), with_tools()]
    rows = [compared(one, wanted.rounds) for one in data]
    print(head("`phi data check`", "`json.loads`"))
    print("\n".join(row.markdown() for row in rows))
    print(f"\n| tokens of {wanted.model} | in all | tokens per second |\n|---|---:|---:|")
    print("\n".join(speeds(wanted.model, data, max(wanted.rounds // 3, 1))), "\n")
    print("\n".join(beginning.conditions(["Medians, with the least and the greatest value in brackets"])))


if __name__ == "__main__":
    main()
