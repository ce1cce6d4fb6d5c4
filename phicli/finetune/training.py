"""The training itself: transformers computes, PEFT holds the adapter. Only the worker imports this."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from phicli.finetune.batching import Schedule
from phicli.finetune.options import Recipe
from phicli.finetune.pairs_file import PairsFile

_CLIP = 1.0
"""The largest norm of the gradient."""


class Trainer:
    """A model with an adapter that learns.

    Dropout is seeded for each step, so a run that was interrupted goes on exactly as it would have.

    Args:
        folder: of the model.
        name: what the adapter says it was made for.
        recipe: how it is trained.
    """

    def __init__(self, folder: Path, name: str, recipe: Recipe) -> None:
        self.recipe = recipe
        torch.manual_seed(recipe.seed)
        base = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, recipe.dtype), local_files_only=True)
        base.config.use_cache = False
        config = LoraConfig(
            r=recipe.rank, lora_alpha=recipe.alpha, lora_dropout=recipe.dropout, target_modules="all-linear",
            task_type="CAUSAL_LM",
        )  # fmt: skip
        self.model: Any = get_peft_model(base, config)
        self.model.peft_config["default"].base_model_name_or_path = name
        if recipe.checkpointing:
            self.model.enable_input_require_grads()
            self.model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        self.parameters = [one for one in self.model.parameters() if one.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=recipe.learning_rate, weight_decay=0.0)

    @property
    def trainable(self) -> int:
        """Trainable parameters."""
        return sum(one.numel() for one in self.parameters)

    def step(self, schedule: Schedule, pairs: PairsFile, step: int, *, learn: bool = True) -> float:
        """One step of the optimizer; returns the loss before it, for each learned token.

        Args:
            schedule: which examples.
            pairs: the examples.
            step: which one, counted from 0.
            learn: False computes everything and changes nothing, for measuring.
        """
        self.model.train()
        torch.manual_seed((self.recipe.seed << 32) + step)
        micros = schedule.micro_batches(step)
        learned = sum(pairs.learned[number] for micro in micros for number in micro)
        total = 0.0
        for micro in micros:
            loss = self._loss(pairs, micro)
            (loss / learned).backward()
            total += float(loss.detach())
        if learn:
            torch.nn.utils.clip_grad_norm_(self.parameters, _CLIP)
            for group in self.optimizer.param_groups:
                group["lr"] = self.recipe.learning_rate * schedule.rate(step)
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return total / learned

    def evaluate(self, schedule: Schedule, pairs: PairsFile) -> float:
        """The loss for each learned token of all ``pairs``, without dropout."""
        self.model.eval()
        micros = schedule.grouped(range(len(pairs)))
        with torch.no_grad():
            return math.fsum(float(self._loss(pairs, micro)) for micro in micros) / sum(pairs.learned)

    def save_adapter(self, folder: Path) -> None:
        """Write the adapter as PEFT does.

        Raises:
            OSError: it cannot be written.
        """
        self.model.save_pretrained(folder, save_embedding_layers=False)
        (folder / "README.md").unlink(missing_ok=True)

    def save_optimizer(self, path: Path) -> None:
        """Write what the optimizer remembers."""
        torch.save(self.optimizer.state_dict(), path)

    def load(self, adapter: Path, optimizer: Path) -> None:
        """Continue from what was saved."""
        from peft import load_peft_weights, set_peft_model_state_dict

        set_peft_model_state_dict(self.model, load_peft_weights(str(adapter), device="cpu"))
        self.optimizer.load_state_dict(torch.load(optimizer, weights_only=True))

    def _loss(self, pairs: PairsFile, micro: list[int]) -> Any:
        """The sum of the losses of all learned tokens. The output layer computes these places only."""
        ids, places, targets = _tensors(pairs, micro)
        inner = self.model.base_model.model
        hidden = inner.model(input_ids=ids, use_cache=False).last_hidden_state
        logits = inner.lm_head(hidden.reshape(-1, hidden.shape[-1])[places])
        return torch.nn.functional.cross_entropy(logits.float(), targets, reduction="sum")


def _tensors(pairs: PairsFile, micro: list[int]) -> tuple[Any, Any, Any]:
    """Token ids padded at the right, where a learned token is predicted, and which it is.

    No mask is needed: a token sees only those before it, and the padding comes after all of them. Without a mask torch
    computes attention in half the time.
    """
    chosen = [pairs[number] for number in micro]
    width = max(len(pair.ids) for pair in chosen)
    ids = torch.zeros(len(chosen), width, dtype=torch.long)
    for row, pair in enumerate(chosen):
        ids[row, : len(pair.ids)] = torch.tensor(pair.ids)
    flat = [(row * width + at - 1, pair.ids[at]) for row, pair in enumerate(chosen) for at in _learned(pair)]
    places, targets = zip(*flat, strict=True)
    return ids, torch.tensor(places), torch.tensor(targets)


def _learned(pair: Any) -> Iterator[int]:
    yield from range(pair.start, len(pair.ids))
