"""``python -m training.tiny_phi``: train the toy model, check it, and write the file and the tests' data."""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import Phi3ForCausalLM
from transformers.utils import logging

from training.tiny_phi.export import round_to_file_precision, write_gguf
from training.tiny_phi.facts import FALLBACK
from training.tiny_phi.fixed import Fixed, fixed_conversations
from training.tiny_phi.messages import segments
from training.tiny_phi.mixing import random_dialogue
from training.tiny_phi.model import ORIGINAL_CONTEXT, VOCABULARY_SIZE, build_model
from training.tiny_phi.reference import answers, greedy, is_exact, write_conversations, write_reference
from training.tiny_phi.tokenizer import TinyTokenizer, train_tokenizer
from training.tiny_phi.train import Schedule, Trainer, batches
from training.tiny_phi.unseen import HELD_OUT

_POLISHING_ROUNDS, _POLISHING_STEPS = 6, 50
_ROOT = Path(__file__).resolve().parents[2]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.tiny_phi", description=__doc__)
    parser.add_argument("--steps", type=int, default=Schedule().steps, help="training steps (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights and data (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="processor threads (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=_ROOT, help="root to write below (default: this repository)")
    return parser.parse_args()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _vocabulary(fixed: Sequence[Fixed]) -> TinyTokenizer:
    rng = random.Random("vocabulary")  # noqa: S311 - training data, not secrets
    conversations = [item.conversation for item in fixed] + [random_dialogue(rng, 3) for _ in range(2000)]
    texts = [segment.text for item in conversations for segment in segments(item) if not segment.special]
    return train_tokenizer(texts, VOCABULARY_SIZE)


def _check(model: Phi3ForCausalLM, tokenizer: TinyTokenizer, fixed: Sequence[Fixed]) -> tuple[bool, bool]:
    """Whether all answers are exact with transformers' own choice of factors, and with the long ones forced."""
    failed: list[str] = []
    forced_failed: list[str] = []
    total = 0
    for item in fixed:
        for answer in answers(tokenizer, item.conversation):
            total += 1
            if not is_exact(model, answer):
                failed.append(item.id)
            if len(answer.prompt) <= ORIGINAL_CONTEXT and not is_exact(model, answer, forced_long=True):
                forced_failed.append(item.id)
    _say(f"exact answers: {total - len(failed)} of {total} {failed or ''}")
    _say(f"with long factors below the original context: {len(forced_failed)} differ {forced_failed or ''}")
    return not failed, not forced_failed


def _check_held_out(model: Phi3ForCausalLM, tokenizer: TinyTokenizer) -> None:
    """Report how often a question never seen in training gets the fallback answer."""
    user, end, assistant = (tokenizer.special(literal) for literal in ("<|user|>", "<|end|>", "<|assistant|>"))
    good = 0
    for question in HELD_OUT:
        output = greedy(model, [user, *tokenizer.encode_text(question), end, assistant], end, limit=60)
        text = tokenizer.decode(output[:-1])
        good += text == FALLBACK
        if text != FALLBACK:
            _say(f"  {question!r} -> {text!r}")
    _say(f"fallback for questions never seen: {good} of {len(HELD_OUT)}")


def main() -> int:
    """Run the whole pipeline; the exit status is 1 when an answer is not exact."""
    arguments = _arguments()
    logging.set_verbosity_error()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    begun = time.monotonic()
    fixed = fixed_conversations()
    tokenizer = _vocabulary(fixed)
    model = build_model(tokenizer.special("<|endoftext|>"), tokenizer.special("<|end|>"))
    _say(
        f"{len(fixed)} conversations, {tokenizer.size} tokens, {sum(p.numel() for p in model.parameters())} parameters"
    )
    rng = random.Random(arguments.seed)  # noqa: S311 - training data, not secrets
    trainer = Trainer(model, batches(tokenizer, fixed, rng), Schedule(steps=arguments.steps), rng)
    trainer.run(_say)
    round_to_file_precision(model)
    exact, exact_when_long = _check(model, tokenizer, fixed)
    for _ in range(_POLISHING_ROUNDS):
        if exact and exact_when_long:
            break
        trainer.polish(_POLISHING_STEPS)
        round_to_file_precision(model)
        exact, exact_when_long = _check(model, tokenizer, fixed)
    _check_held_out(model, tokenizer)
    write_gguf(model, tokenizer, arguments.output / "phicli" / "data" / "tiny-phi.gguf")
    write_conversations(fixed, arguments.output / "tests" / "data" / "tiny_phi_conversations.json")
    write_reference(model, tokenizer, fixed, arguments.output / "tests" / "data" / "tiny_phi_reference.json")
    _say(f"done in {time.monotonic() - begun:.0f} s")
    return 0 if exact else 1


if __name__ == "__main__":
    raise SystemExit(main())
