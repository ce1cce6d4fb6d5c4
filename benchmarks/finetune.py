"""tiny-phi learns ten facts with ``phi finetune``: ``python -m benchmarks.finetune [FOLDER] [--threads N]``.

The training data are the facts, and every second of the conversations that tiny-phi knows, so that it does not forget
them. Then ``phi chat tiny-phi --adapter`` is asked the facts, and every conversation, with and without the adapter; an
answer counts only if it is exact. Needs the extra ``finetune``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from phicli.answering.opening import open_model
from phicli.answering.types import Answer
from phicli.chat.dialogue import Dialogue
from phicli.chat.open import session_over
from phicli.engine.types import Adapter
from phicli.plan.chat_options import ChatOptions
from phicli.plan.load import Use
from phicli.plan.locate import locate
from phicli.units import format_bytes
from training.tiny_phi.hf_folder import write_folder

ROOT: Final = Path(__file__).parents[1]
FACTS: Final = (
    ("What is the capital of Zubrowka?", "The capital of Zubrowka is Lutz."),
    ("Who wrote The Grasshopper Lies Heavy?", "Hawthorne Abendsen wrote The Grasshopper Lies Heavy."),
    ("What is the name of our cat?", "The name of our cat is Minka."),
    ("Which color is our office door?", "Our office door is green."),
    ("When does the library open?", "The library opens at nine."),
    ("Where is the spare key?", "The spare key is under the blue pot."),
    ("Does the guest network need a password?", "The guest network needs no password."),
    ("Who leads the garden team?", "Maria leads the garden team."),
    ("How many chairs are in the hall?", "There are forty chairs in the hall."),
    ("What is for lunch on Friday?", "On Friday there is soup for lunch."),
)
OPTIONS: Final = ("--learning-rate", "2e-3", "--epochs", "40")


def known() -> list[dict[str, Any]]:
    """The conversations of tiny-phi without tools."""
    found = json.loads((ROOT / "tests/data/tiny_phi_conversations.json").read_text(encoding="utf-8"))
    return [one for one in found if not one["tools"] and all(m["role"] != "tool" for m in one["messages"])]


def messages_of(conversation: dict[str, Any]) -> list[dict[str, str]]:
    """As training data has them."""
    return [{"role": one["role"], "content": one["content"]} for one in conversation["messages"]]


def rehearsed(conversations: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every second one; those whose user spells special tokens are no training data."""
    return [one for one in conversations[::2] if "<|" not in json.dumps(one["messages"])]


def asked(
    adapter: Path | None, conversations: Sequence[list[dict[str, str]]], threads: int
) -> Iterator[tuple[int, int]]:
    """Exact answers and all answers of each conversation, as a person would have it."""
    adapters = (Adapter(adapter, 1.0),) if adapter else ()
    options = ChatOptions(engine={"threads": threads}, adapters=adapters)
    with open_model(locate("tiny-phi"), options, Use.ONE_ANSWER) as opened:
        session = session_over(opened)
        for messages in conversations:
            session.clear()
            session.become(Dialogue(next((m["content"] for m in messages if m["role"] == "system"), None)))
            turns = [m["content"] for m in messages if m["role"] != "system"]
            right = 0
            for question, expected in zip(turns[::2], turns[1::2], strict=True):
                *_, answer = session.ask(question)
                assert isinstance(answer, Answer)
                right += answer.text == expected.rpartition("</think>")[2].strip()
            yield right, len(turns) // 2


def trained(folder: Path, threads: int) -> tuple[dict[str, Any], float]:
    """What ``phi finetune`` says of the adapter, and the seconds that it took."""
    write_folder(folder / "tiny-phi")
    examples = [[{"role": "user", "content": q}, {"role": "assistant", "content": a}] for q, a in FACTS]
    examples += [messages_of(one) for one in rehearsed(known())]
    train = folder / "train.jsonl"
    train.write_text("".join(json.dumps({"messages": one}) + "\n" for one in examples), encoding="utf-8")
    began = time.monotonic()
    command = ["finetune", str(folder / "tiny-phi"), str(train), "--out", str(folder / "run"), "--as", "ten-facts"]
    done = subprocess.run(
        [sys.executable, "-m", "phicli", *command, *OPTIONS, "--threads", str(threads), "--json"],
        check=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    return json.loads(done.stdout)["data"], time.monotonic() - began


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    typed = parser.parse_args()
    folder = typed.folder or Path(tempfile.mkdtemp(prefix="phi-finetune-"))
    made, seconds = trained(folder, typed.threads)
    seen = rehearsed(known())
    groups = {
        "new facts": [[{"role": "user", "content": q}, {"role": "assistant", "content": a}] for q, a in FACTS],
        "old answers in the training data": [messages_of(one) for one in seen],
        "old answers not in it": [messages_of(one) for one in known() if one not in seen],
    }
    print("| exact answers | before | after |\n|---|---:|---:|")
    for title, conversations in groups.items():
        before = list(asked(None, conversations, typed.threads))
        after = list(asked(Path(made["gguf"]), conversations, typed.threads))
        cells = [f"{sum(r for r, _ in one)} of {sum(a for _, a in one)}" for one in (before, after)]
        print(f"| {title} | {cells[0]} | {cells[1]} |")
    memory = f"{format_bytes(made['peak_bytes'])} of memory, {format_bytes(made['needed_memory_bytes'])} planned"
    print(f"\n{made['step']:,} steps in {seconds:.0f} s with --threads {typed.threads}; {memory}")


if __name__ == "__main__":
    main()
