"""Writes the sets of questions that come with ``phi eval``: ``arithmetic`` and ``instructions``.

``python -m benchmarks.make_evals`` writes both into ``phicli/data/evals``; ``--check`` only says whether they are what
this script makes. The questions were written for this project; numbers and words are drawn with a fixed seed. Every
question has an example of a right reply, which ``phi`` judges whenever it reads the file.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.eval_arithmetic import PROBLEMS, Problem
from benchmarks.eval_instructions import INSTRUCTIONS

FOLDER: Final = Path(__file__).parents[1] / "phicli" / "data" / "evals"
SEED: Final = 20
_EACH: Final = 2
_NUMBER_LAST: Final = "End your reply with the answer as a number."


def arithmetic() -> Iterator[dict[str, Any]]:
    """Fifty word problems: every kind twice, with other numbers."""
    generator = random.Random(SEED)  # noqa: S311 (the same numbers every time)
    for number in range(_EACH * len(PROBLEMS)):
        problem: Problem = PROBLEMS[number % len(PROBLEMS)](generator)
        yield {
            "id": f"arithmetic-{number + 1:02}",
            "question": f"{problem.question} {_NUMBER_LAST}",
            "compare": "number",
            "answer": problem.answer,
            "example": f"The answer is {problem.answer}.",
        }


def instructions() -> Iterator[dict[str, Any]]:
    """Fifty instructions that a program can verify."""
    generator = random.Random(SEED)  # noqa: S311 (the same words every time)
    for number in range(_EACH * len(INSTRUCTIONS)):
        made = INSTRUCTIONS[number % len(INSTRUCTIONS)](generator, number // len(INSTRUCTIONS))
        yield {
            "id": f"instructions-{number + 1:02}",
            "question": made.question,
            "compare": "checks",
            "checks": list(made.checks),
            "example": made.example,
        }


SETS: Final[Mapping[str, Callable[[], Iterator[dict[str, Any]]]]] = {
    "arithmetic": arithmetic,
    "instructions": instructions,
}


def text_of(name: str) -> str:
    """The file of the set ``name``: one JSON object a line."""
    return "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in SETS[name]())


def main() -> int:
    """Write or check both files; the exit code is 1 when a check finds another content."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--check", action="store_true", help="write nothing, say what differs")
    only_check = options.parse_args().check
    stale = [name for name in SETS if not _is_current(FOLDER / f"{name}.jsonl", text_of(name))]
    if not only_check:
        FOLDER.mkdir(parents=True, exist_ok=True)
        for name in stale:
            (FOLDER / f"{name}.jsonl").write_text(text_of(name), encoding="utf-8", newline="\n")
    for name in stale:
        sys.stdout.write(f"{name}: {'is not what this script makes' if only_check else 'written'}\n")
    return int(only_check and bool(stale))


def _is_current(path: Path, content: str) -> bool:
    return path.is_file() and path.read_bytes() == content.encode()


if __name__ == "__main__":
    sys.exit(main())
