"""Training: random dialogues and the fixed conversations, loss on what the assistant says."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional
from transformers import Phi3ForCausalLM

from training.tiny_phi.fixed import Fixed
from training.tiny_phi.mixing import random_dialogue
from training.tiny_phi.model import CONTEXT, ORIGINAL_CONTEXT, long_factors
from training.tiny_phi.tokenizer import TinyTokenizer

Encoded = tuple[list[int], list[bool]]

_TOKENS_PER_BATCH = 4096
_FIXED_SHARE = 0.3
_FORCED_LONG_SHARE = 0.3
_LENGTHS, _LENGTH_WEIGHTS = (1, 2, 3, 5, 8, 14), (40, 18, 14, 12, 10, 6)


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast to train."""

    steps: int = 1000
    warmup_steps: int = 30
    matrix_rate: float = 6e-3
    embedding_rate: float = 4e-3
    norm_rate: float = 4e-3
    weight_decay: float = 0.01

    def share(self, step: int) -> float:
        """Share of the full learning rate at a step: a linear warm-up, a plateau, a linear decay to nothing."""
        rise = (step + 1) / self.warmup_steps
        fall = (self.steps - step) / (0.5 * self.steps)
        return min(1.0, rise, fall)


class Trainer:
    """Trains a model in place; a step takes about a third of a second on two CPU cores."""

    def __init__(
        self, model: Phi3ForCausalLM, data: Iterator[Sequence[Encoded]], schedule: Schedule, rng: random.Random
    ) -> None:
        self._model, self._data, self._schedule, self._rng = model, data, schedule, rng
        self._optimizers = _optimizers(model, schedule)
        self._groups = [group for optimizer in self._optimizers for group in optimizer.param_groups]
        self._rates = [group["lr"] for group in self._groups]

    def run(self, report: Callable[[str], None]) -> None:
        """The whole schedule."""
        begun = time.monotonic()
        for step in range(self._schedule.steps):
            loss = self._step(self._schedule.share(step))
            if step % 25 == 0 or step == self._schedule.steps - 1:
                report(f"step {step:4d}  loss {loss:.4f}  {time.monotonic() - begun:4.0f} s")

    def polish(self, steps: int) -> None:
        """A few more steps at a small, falling rate, for the last answers that are not exact."""
        for step in range(steps):
            self._step(0.1 * (1 - step / steps))

    def _step(self, share: float) -> float:
        for group, rate in zip(self._groups, self._rates, strict=True):
            group["lr"] = rate * share
        loss = batch_loss(self._model, next(self._data), self._rng)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        for optimizer in self._optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return loss.item()


def _optimizers(model: Phi3ForCausalLM, schedule: Schedule) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, Adam for the embedding and the norms."""
    inner = list(model.model.layers.named_parameters())
    matrices = [parameter for _, parameter in inner if parameter.ndim == 2]
    norms = [parameter for _, parameter in inner if parameter.ndim == 1] + list(model.model.norm.parameters())
    embedding = [model.model.embed_tokens.weight]
    return [
        torch.optim.Muon(
            matrices,
            lr=schedule.matrix_rate,
            weight_decay=schedule.weight_decay,
            momentum=0.95,
            adjust_lr_fn="match_rms_adamw",
        ),
        torch.optim.Adam(
            [
                {"params": embedding, "lr": schedule.embedding_rate},
                {"params": norms, "lr": schedule.norm_rate},
            ],
            betas=(0.9, 0.98),
        ),
    ]


def batch_loss(model: Phi3ForCausalLM, batch: Sequence[Encoded], rng: random.Random) -> torch.Tensor:
    """Mean cross-entropy over the assistant's tokens; the sequences are padded on the right."""
    length = max(len(ids) for ids, _ in batch)
    tokens = torch.zeros((len(batch), length), dtype=torch.long)
    learned = torch.zeros((len(batch), length), dtype=torch.bool)
    for row, (ids, mask) in enumerate(batch):
        tokens[row, : len(ids)] = torch.tensor(ids)
        learned[row, : len(ids)] = torch.tensor(mask)
    forced = length <= ORIGINAL_CONTEXT and rng.random() < _FORCED_LONG_SHARE
    with long_factors(model) if forced else contextlib.nullcontext():
        hidden = model.model(input_ids=tokens, use_cache=False).last_hidden_state
    targets = learned[:, 1:]
    logits = functional.linear(hidden[:, :-1][targets], model.model.embed_tokens.weight)
    return functional.cross_entropy(logits, tokens[:, 1:][targets])


def batches(tokenizer: TinyTokenizer, fixed: Sequence[Fixed], rng: random.Random) -> Iterator[list[Encoded]]:
    """Endless batches of sequences of similar length, short and long ones in random order."""
    known = [tokenizer.encode(item.conversation) for item in fixed]
    while True:
        pool = [_draw(tokenizer, known, rng) for _ in range(1500)]
        pool.sort(key=lambda item: len(item[0]))
        ready: list[list[Encoded]] = [[]]
        for item in pool:
            if ready[-1] and (len(ready[-1]) + 1) * len(item[0]) > _TOKENS_PER_BATCH:
                ready.append([])
            ready[-1].append(item)
        rng.shuffle(ready)
        yield from ready


def _draw(tokenizer: TinyTokenizer, known: Sequence[Encoded], rng: random.Random) -> Encoded:
    if rng.random() < _FIXED_SHARE:
        return rng.choice(known)
    exchanges = rng.choices(_LENGTHS, _LENGTH_WEIGHTS)[0]
    while True:
        drawn = tokenizer.encode(random_dialogue(rng, exchanges))
        if len(drawn[0]) <= CONTEXT * 3 // 4:
            return drawn
        exchanges = max(1, exchanges - 2)
