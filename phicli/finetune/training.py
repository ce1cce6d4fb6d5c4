"""The training itself: transformers computes, PEFT holds the adapter. Only the worker imports this."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import torch

from phicli.finetune.adapted_model import open_adapted
from phicli.finetune.batching import Schedule
from phicli.finetune.options import Recipe
from phicli.finetune.pairs_file import PairsFile
from phicli.finetune.tensors_file import write_tensors
from phicli.hub.peft_files import WEIGHTS

_CLIP = 1.0
"""The largest norm of the gradient."""
_REMEMBERED = ("step", "exp_avg", "exp_avg_sq")
"""What AdamW remembers of a parameter."""


def _never() -> bool:
    return False


class Trainer:
    """A model with an adapter that learns.

    Dropout is seeded for each step, so a run that was interrupted goes on exactly as it would have.

    Args:
        folder: of the model.
        name: what the adapter says it was made for.
        recipe: how it is trained.
        stopped: whether to give up what is being computed; asked between micro-batches.
    """

    def __init__(self, folder: Path, name: str, recipe: Recipe, stopped: Callable[[], bool] = _never) -> None:
        self.recipe, self._stopped = recipe, stopped
        torch.manual_seed(recipe.seed)
        self.model = open_adapted(folder, name, recipe)
        self.parameters = [one for one in self.model.parameters() if one.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=recipe.learning_rate, weight_decay=0.0)

    @property
    def trainable(self) -> int:
        """Trainable parameters."""
        return sum(one.numel() for one in self.parameters)

    def step(self, schedule: Schedule, pairs: PairsFile, step: int, *, learn: bool = True) -> float | None:
        """One step of the optimizer; returns the loss before it for each learned token, None if it was given up.

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
            if self._stopped():
                self.forget()
                return None
            loss = self._loss(pairs, micro)
            (loss / learned).backward()
            total += float(loss.detach())
        if learn:
            torch.nn.utils.clip_grad_norm_(self.parameters, _CLIP)
            for group in self.optimizer.param_groups:
                group["lr"] = self.recipe.learning_rate * schedule.rate(step)
            self.optimizer.step()
        self.forget()
        return total / learned

    def forget(self) -> None:
        """Remove the gradients of a step that is done or given up."""
        self.optimizer.zero_grad(set_to_none=True)

    def evaluate(self, schedule: Schedule, pairs: PairsFile, only: Sequence[int] | None = None) -> float | None:
        """The loss for each learned token of ``pairs``, without dropout; None if it was given up.

        Args:
            schedule: what is computed together; with the lengths of ``pairs``.
            pairs: examples.
            only: some of them; None for all.
        """
        self.model.eval()
        numbers = range(len(pairs)) if only is None else only
        losses = []
        with torch.no_grad():
            for micro in schedule.grouped(numbers):
                if self._stopped():
                    return None
                losses.append(float(self._loss(pairs, micro)))
        return math.fsum(losses) / sum(pairs.learned[number] for number in numbers)

    def save_adapter(self, folder: Path) -> None:
        """Write the adapter as PEFT does.

        Raises:
            OSError: it cannot be written.
        """
        from peft import get_peft_model_state_dict

        folder.mkdir(exist_ok=True)
        weights = get_peft_model_state_dict(self.model, save_embedding_layers=False)
        write_tensors(folder / WEIGHTS, weights)
        config = copy(self.model.peft_config["default"])
        config.inference_mode = True
        config.target_modules = sorted(config.target_modules)  # a set has another order in each process
        config.save_pretrained(str(folder))

    def save_optimizer(self, path: Path) -> None:
        """Write what the optimizer remembers.

        Raises:
            OSError: it cannot be written.
        """
        states = ((at, self.optimizer.state.get(one)) for at, one in enumerate(self.parameters))
        write_tensors(path, {f"{at}.{name}": state[name] for at, state in states if state for name in _REMEMBERED})

    def load(self, adapter: Path, optimizer: Path) -> None:
        """Continue from what was saved."""
        from peft import load_peft_weights, set_peft_model_state_dict
        from safetensors.torch import load_file

        set_peft_model_state_dict(self.model, load_peft_weights(str(adapter), device="cpu"))
        states: dict[int, dict[str, Any]] = {}
        for name, tensor in load_file(optimizer).items():
            number, _, what = name.partition(".")
            states.setdefault(int(number), {})[what] = tensor
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": states})

    def _loss(self, pairs: PairsFile, micro: list[int]) -> Any:
        """The sum of the losses of all learned tokens. The output layer computes these places only."""
        ids, places, targets = _tensors(pairs, micro, self.recipe.device)
        inner = self.model.base_model.model
        hidden = inner.model(input_ids=ids, use_cache=False).last_hidden_state
        logits = inner.lm_head(hidden.reshape(-1, hidden.shape[-1])[places])
        return torch.nn.functional.cross_entropy(logits.float(), targets, reduction="sum")


def _tensors(pairs: PairsFile, micro: list[int], device: str) -> tuple[Any, Any, Any]:
    """Token ids padded at the right, where a learned token is predicted, and which it is.

    No mask is needed: a token sees only those before it, and the padding comes after all of them. Without a mask torch
    computes attention in half the time.
    """
    chosen = [pairs[number] for number in micro]
    width = max(len(pair.ids) for pair in chosen)
    ids = torch.zeros(len(chosen), width, dtype=torch.long)
    for row, pair in enumerate(chosen):
        ids[row, : len(pair.ids)] = torch.tensor(pair.ids)
    learned = ((row, at) for row, pair in enumerate(chosen) for at in range(pair.start, len(pair.ids)))
    places, targets = zip(*((row * width + at - 1, chosen[row].ids[at]) for row, at in learned), strict=True)
    return ids.to(device), torch.tensor(places, device=device), torch.tensor(targets, device=device)
