"""Memory of ``phi finetune``, planned and measured: ``python -m benchmarks.finetune_memory [CASE ...]``.

Each case is a model with random weights, saved in bfloat16 as Phi's are, and examples of one shape. ``phi finetune``
trains it for a step or two; the memory is the peak of the process that trains (resident set). Needs the extra
``finetune``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from transformers import Phi3Config, Phi3ForCausalLM

from training.tiny_phi.hf_folder import tokenizer_json

_WORDS: Final = "Where is the key of the hall and who has the book about the river in the north of the country"


@dataclass(frozen=True, slots=True)
class Case:
    """A model, its examples and the options of the training.

    Attributes:
        sizes: what the configuration says beyond the defaults below.
        questions: words of the questions, which are not learned; one example for each in turn.
        answer: words of the answers.
        count: examples.
        options: for ``phi finetune``.
        batch: examples of a step.
    """

    sizes: Mapping[str, Any]
    questions: tuple[int, ...]
    answer: int
    count: int
    options: tuple[str, ...] = ()
    batch: int = 4


_SMALL: Final = {
    "hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 16, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 1500,
}  # fmt: skip
_DEEP: Final = {**_SMALL, "intermediate_size": 512, "num_hidden_layers": 32, "num_key_value_heads": 4}
_VOCABULARY: Final = {**_SMALL, "num_hidden_layers": 4, "vocab_size": 200_064}
_LARGE: Final = {**_SMALL, "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 8,
                 "num_attention_heads": 16, "num_key_value_heads": 8, "vocab_size": 32_064}  # fmt: skip
_MIB: Final = 1 << 20
_BF16: Final = ("--dtype", "bfloat16")
_AGAIN: Final = ("--checkpointing",)
_ONE: Final = ("--micro-batch", "1")
CASES: Final = {
    "small, 4 at once": Case(_SMALL, (400,), 40, 4),
    "small, 4 at once, bfloat16": Case(_SMALL, (400,), 40, 4, _BF16),
    "small, 4 at once, computed again": Case(_SMALL, (400,), 40, 4, _AGAIN),
    "small, 4 at once, bfloat16, computed again": Case(_SMALL, (400,), 40, 4, (*_BF16, *_AGAIN)),
    "small, 1 at once": Case(_SMALL, (800,), 40, 2, _ONE),
    "small, 4 of unlike length at once": Case(_SMALL, (700, 100, 400, 200), 40, 4),
    "small, rank 128": Case(_SMALL, (400,), 40, 4, ("--rank", "128")),
    "large vocabulary, long answers": Case(_VOCABULARY, (10,), 200, 2, _ONE),
    "large vocabulary, long answers, bfloat16": Case(_VOCABULARY, (10,), 200, 2, (*_BF16, *_ONE)),
    "deep, long examples": Case(_DEEP, (1500,), 100, 2, _ONE),
    "deep, 2 long examples of unlike length": Case(_DEEP, (1500, 900), 100, 2, ("--micro-batch", "2")),
    "large": Case(_LARGE, (60,), 20, 2, _ONE),
    "large, bfloat16": Case(_LARGE, (60,), 20, 2, (*_BF16, *_ONE)),
}


def write_model(folder: Path, sizes: Mapping[str, Any]) -> None:
    """A model of the type phi3 with random weights and tiny-phi's tokenizer."""
    torch.manual_seed(0)
    ends = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id"), 0)
    config = Phi3Config(max_position_embeddings=4096, tie_word_embeddings=True, **sizes, **ends)
    Phi3ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(), ensure_ascii=False), encoding="utf-8")


def write_examples(path: Path, case: Case) -> None:
    """As many as the case has, with texts of so many words."""

    def text(words: int, first: int) -> str:
        all_of_them = _WORDS.split()
        return " ".join(all_of_them[(first + at) % len(all_of_them)] for at in range(words))

    lines = []
    for number in range(case.count):
        question = text(case.questions[number % len(case.questions)], number)
        said = [{"role": "user", "content": f"{number} {question}"},
                {"role": "assistant", "content": f"{number} {text(case.answer, number)}"}]  # fmt: skip
        lines.append(json.dumps({"messages": said}) + "\n")
    path.write_text("".join(lines), encoding="utf-8")


def measured(case: Case, threads: int) -> dict[str, Any]:
    """What ``phi finetune`` says of the run."""
    with tempfile.TemporaryDirectory(prefix="phi-finetune-memory-") as name:
        folder = Path(name)
        write_model(folder / "model", case.sizes)
        write_examples(folder / "train.jsonl", case)
        command = ["finetune", str(folder / "model"), str(folder / "train.jsonl"), "--out", str(folder / "run"),
                   "--batch-size", str(case.batch), *case.options, "--threads", str(threads), "--epochs", "1",
                   "--json"]  # fmt: skip
        done = subprocess.run([sys.executable, "-m", "phicli", *command], stdout=subprocess.PIPE, check=True,
                              env={**os.environ, "PHI_HOME": str(folder / "home")})  # fmt: skip
        needs = json.loads((folder / "run" / "run.json").read_bytes())["needs"]
        return {**needs, **json.loads(done.stdout)["data"]}


def row(name: str, found: Mapping[str, Any]) -> str:
    """A line of the table: sizes in MiB."""
    planned, peak = (found[key] / _MIB for key in ("needed_memory_bytes", "peak_bytes"))
    tokens, difference = f"{found['largest_batch_tokens']:,}", f"{100 * (planned / peak - 1):+.0f} %"
    return f"| {name} | {tokens} | {planned:,.0f} | {peak:,.0f} | {difference} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("cases", nargs="*", help=f"all by default, of: {'; '.join(CASES)}")
    parser.add_argument("--threads", type=int, default=1)
    typed = parser.parse_args()
    print("| model | tokens at once | planned, MiB | measured, MiB | difference |\n|---|---:|---:|---:|---:|")
    for name in typed.cases or CASES:
        print(row(name, measured(CASES[name], typed.threads)), flush=True)


if __name__ == "__main__":
    main()
