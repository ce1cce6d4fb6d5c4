"""How soon a conversation goes on, and what its being saved costs, as ratios.

``python -m benchmarks.chat`` makes a synthetic Phi-4-mini (true dimensions, random weights, Q4_K_M, 2.49 GB), keeps it,
and prints a Markdown table. The sides of a comparison take turns in the same run; a ratio is that of the medians.

- The second turn: the time to the first token of a short question after a turn of 2,000 tokens, against that of the
  first turn, with the model loaded. Only the new tokens are evaluated.
- Going on: from opening a model to the first token of the next answer in a conversation of 3,000 tokens, with the
  saved KV state and without it. Loading the model, checking and restoring the state are part of it.
- Saving: ``phi chat`` with an answer of 32 tokens, saved as a session and not, from start to end. Each session is new.
- Listing: ``phi sessions list`` with 10,000 sessions against ``phi --help``.

``--layers 2 --runs 1`` is a quick look, with other ratios. ``--only`` selects parts.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.comparison import Beginning, Goal, Row, head, in_turn
from benchmarks.models import synthetic_file
from benchmarks.processes import measure
from benchmarks.sides import phi_of
from phicli.answering.kept_states import GoingOn, await_saving
from phicli.answering.opening import OpenModel, open_model
from phicli.answering.pool import whole
from phicli.answering.types import Answer
from phicli.chat.dialogue import Dialogue, Turn
from phicli.chat.store.sessions import Sessions
from phicli.chat_format.types import Message
from phicli.engine.types import Sampling
from phicli.plan.chat_options import ChatOptions
from phicli.plan.load import Use
from phicli.plan.locate import locate

SENTENCE: Final = "The sky is blue because the air scatters blue light more than red light. "
"""39 tokens in the vocabulary of the synthetic file, which has few merges."""
_SENTENCE_TOKENS: Final = 39
SHORT: Final = "Is the sky blue?"
SECOND_TURN_TOKENS: Final = 2000
GOING_ON_TOKENS: Final = 3000
SESSIONS: Final = 10_000
PARTS: Final = ("second-turn", "going-on", "saving", "listing")
_ONE_TOKEN: Final = Sampling(max_tokens=1, ignore_eos=True)
_SESSION: Final = "benchmark"
_HELP_RUNS: Final = 6


def question(tokens: int, mark: str = "") -> Message:
    """A question of about so many tokens; with another ``mark`` in front nothing of it is cached."""
    return Message("user", mark + SENTENCE * (tokens // _SENTENCE_TOKENS) + SHORT)


def first_token_s(opened: OpenModel, messages: Sequence[Message]) -> tuple[float, Answer]:
    """Seconds until the first token of an answer has come, and that answer of one token."""
    began = time.perf_counter()
    answer = whole(opened.model.answer(messages, sampling=_ONE_TOKEN))
    return time.perf_counter() - began, answer


def second_turn(model: Path, rounds: int) -> Row:
    """The first token of a second turn against that of the first."""
    first_s, second_s = list[float](), list[float]()
    with open_model(locate(str(model)), ChatOptions(), Use.CONVERSATION) as opened:
        first_token_s(opened, (question(0, "warm-up "),))
        for number in range(rounds):
            asked = question(SECOND_TURN_TOKENS, f"{number} ")
            took_s, answer = first_token_s(opened, (asked,))
            first_s.append(took_s)
            second_s.append(first_token_s(opened, (asked, answer.message, Message("user", SHORT)))[0])
            print(f"round {number + 1} of {rounds} done", file=sys.stderr)
    what = f"first token of a second turn against that of a first one of {SECOND_TURN_TOKENS:,} tokens"
    return Row(what, second_s, first_s, "s")


def going_on(model: Path, rounds: int) -> Row:
    """The next answer of a conversation with its KV state against that without it."""
    asked = question(GOING_ON_TOKENS)
    with open_model(locate(str(model)), ChatOptions(), Use.CONVERSATION) as opened:
        _, answer = first_token_s(opened, (asked,))
        opened.keep_state(_SESSION)
    said = (asked, answer.message)

    def go_on(*, restores: bool) -> float:
        saved = GoingOn(_SESSION, said, answer.used_tokens, restores)
        began = time.perf_counter()
        with open_model(locate(str(model)), ChatOptions(), Use.ONE_ANSWER, going_on=saved) as opened:
            _, last = first_token_s(opened, (*said, Message("user", SHORT)))
            took_s = time.perf_counter() - began
            if restores != bool(last.usage.cached_tokens):
                raise RuntimeError(f"{last.usage.cached_tokens} tokens were restored: {opened.state_note}")
        return took_s

    await_saving(GoingOn(_SESSION, said, None), wait_s=600)  # the hash of the model file is made then too
    sides = {name: partial(go_on, restores=name == "with") for name in ("with", "without")}
    found = in_turn(rounds, sides)
    what = f"opening a conversation of {GOING_ON_TOKENS:,} tokens to its next token, with its KV state and without"
    return Row(what, found["with"], found["without"], "s", Goal("≤ 0.05 x"))


def saving(model: Path, rounds: int, environment: Mapping[str, str]) -> Row:
    """A turn that is saved as a session against one that is not."""
    numbers = itertools.count(1)
    command = [phi_of(sys.executable), "chat", "-q", str(model), SHORT, "-n", "32", "--temperature", "0"]

    def turn(*more: Callable[[], str]) -> float:
        asked = [*command, *(one() for one in more)]
        return measure(asked, environment=environment).total_s

    name = (lambda: "--session", lambda: f"s{next(numbers)}", lambda: "--no-keep-state")
    found = in_turn(rounds, {"saved": partial(turn, *name), "unsaved": turn})
    return Row("a turn that is saved against one that is not", found["saved"], found["unsaved"], "s", Goal("≤ 1.02 x"))


def listing(rounds: int, environment: Mapping[str, str]) -> Row:
    """``phi sessions list`` with many sessions against ``phi --help``."""
    sessions = Sessions()
    for number in range(SESSIONS):
        answer = Message("assistant", SENTENCE * 3)
        turns = tuple(Turn(f"Question {number}, {turn}: {SENTENCE}", replies=(answer,)) for turn in range(2))
        sessions.create(f"session-{number}", "phi-4-mini:q4_k_m", Dialogue(None, turns))
    phi = phi_of(sys.executable)

    def timed(*arguments: str) -> float:
        return 1000 * measure([phi, *arguments], environment=environment).total_s

    sides = {"list": partial(timed, "sessions", "list"), "help": partial(timed, "--help")}
    found = in_turn(rounds * _HELP_RUNS, sides)
    what = f"`phi sessions list` with {SESSIONS:,} sessions against `phi --help`"
    return Row(what, found["list"], found["help"], "ms", Goal("≤ 1.5 x"))


def rows(parts: Sequence[str], layers: int | None, rounds: int, home: Path) -> Iterator[Row]:
    """The rows of the parts that were asked for."""
    environment = {**os.environ, "PHI_HOME": str(home)}
    if "second-turn" in parts:
        yield second_turn(synthetic_file(layers), rounds)
    if "going-on" in parts:
        yield going_on(synthetic_file(layers), rounds)
    if "saving" in parts:
        yield saving(synthetic_file(layers), rounds, environment)
    if "listing" in parts:
        yield listing(rounds, environment)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--layers", type=int, help="fewer layers, for a quick look")
    parser.add_argument("--runs", type=int, default=5, help="counted rounds (default: 5)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="the parts (default: all)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PHI_HOME"] = folder
        began = Beginning.now()
        found = list(rows(options.only, options.layers, options.runs, Path(folder)))
    print(head("one side", "the other side"))
    print("\n".join(row.markdown() for row in found))
    print()
    print("\n".join(began.conditions([f"Medians of {options.runs} rounds in turn, least and greatest in brackets"])))


if __name__ == "__main__":
    main()
