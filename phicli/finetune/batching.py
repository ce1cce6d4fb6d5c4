"""Which examples are computed together, and in which order: the same for the same seed, so that a run can continue.

The steps of the optimizer take examples at random. Inside a step they are computed in micro-batches of like length,
which changes the result by rounding only, and never one from above LongRoPE's border with one from below: transformers
chooses the factors by the longest example of a batch, for all of them.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from phicli.finetune.options import Recipe

_PADDING: Final = {"cpu": 32}
"""Most tokens of padding in a micro-batch where that is measured: another one costs about as much on a processor."""
_LOOKED_AT: Final = 500_000
"""Examples that are grouped to find the largest micro-batch: about a second."""


@dataclass(frozen=True, slots=True)
class Load:
    """The largest micro-batch: tokens with padding, how many of them are learned, and the tokens of one row."""

    tokens: int
    learned: int
    width: int = 0


@dataclass(frozen=True)
class Schedule:
    """The micro-batches of a run.

    Args:
        lengths: of the examples, in tokens.
        border: where LongRoPE changes its factors; None without LongRoPE.
        recipe: batch sizes, epochs, seed.
    """

    lengths: Sequence[int]
    border: int | None
    recipe: Recipe

    @property
    def steps_per_epoch(self) -> int:
        """Steps of the optimizer in which each example is seen once."""
        return math.ceil(len(self.lengths) / self.recipe.batch_size)

    @property
    def steps(self) -> int:
        """Steps of the whole run; a part of an epoch is rounded up."""
        return max(1, math.ceil(self.recipe.epochs * self.steps_per_epoch))

    def micro_batches(self, step: int) -> list[list[int]]:
        """The numbers of the examples of a step, counted from 0, in groups that are computed together."""
        epoch, at = divmod(step, self.steps_per_epoch)
        order = _order(len(self.lengths), self.recipe.seed, epoch)
        size = self.recipe.batch_size
        return self.grouped(order[at * size : (at + 1) * size])

    def grouped(self, numbers: Sequence[int]) -> list[list[int]]:
        """Examples in micro-batches."""
        sides: tuple[list[int], list[int]] = ([], [])
        for number in numbers:
            sides[self.border is not None and self.lengths[number] > self.border].append(number)
        return [micro for side in sides for micro in self._of_like_length(side)]

    def _of_like_length(self, numbers: Sequence[int]) -> Iterator[list[int]]:
        """Micro-batches with little padding, the longest examples first."""
        most = _PADDING.get(self.recipe.device, math.inf)
        micro: list[int] = []
        padding = 0
        for number in sorted(numbers, key=lambda one: -self.lengths[one]):
            padding += self.lengths[micro[0]] - self.lengths[number] if micro else 0
            if len(micro) == self.recipe.micro_batch or padding > most:
                yield micro
                micro, padding = [], 0
            micro.append(number)
        if micro:
            yield micro

    def rate(self, step: int) -> float:
        """The share of the learning rate in a step: rising in the warm-up, then falling in a line to 0."""
        warm = math.ceil(self.recipe.warmup * self.steps)
        if step < warm:
            return (step + 1) / warm
        return (self.steps - step) / max(1, self.steps - warm)

    def size(self, micro: Sequence[int]) -> int:
        """Tokens of a micro-batch, with padding."""
        return len(micro) * max(self.lengths[one] for one in micro)

    def tokens(self, step: int) -> int:
        """Tokens of a step, with padding."""
        return sum(map(self.size, self.micro_batches(step)))

    def heaviest(self, steps: Iterable[int]) -> int:
        """The first of ``steps`` that has the largest micro-batch."""
        return max(steps, key=lambda step: max(map(self.size, self.micro_batches(step))))

    def largest(self, learned: Sequence[int]) -> Load:
        """The micro-batch of the run that needs most memory; ``learned`` are the learned tokens of each example.

        Every epoch has other ones. Where that would be too many to look at, it is one of the longest examples only.
        """
        size = self.recipe.micro_batch
        if self.steps * self.recipe.batch_size > _LOOKED_AT:
            return Load(size * max(self.lengths), sum(sorted(learned)[-size:]), max(self.lengths))
        tokens = most = 0
        for step in range(self.steps):
            for micro in self.micro_batches(step):
                tokens = max(tokens, self.size(micro))
                most = max(most, sum(learned[one] for one in micro))
        return Load(tokens, most, max(self.lengths))

    def heaviest_of_all(self, learned: Sequence[int]) -> tuple[list[int], list[int]]:
        """Where all examples are computed once, as for a validation: the micro-batch with the most tokens, and that
        with the most learned ones.
        """  # fmt: skip
        micros = self.grouped(range(len(self.lengths)))
        return max(micros, key=self.size), max(micros, key=lambda micro: sum(learned[one] for one in micro))


@lru_cache(maxsize=2)
def _order(count: int, seed: int, epoch: int) -> list[int]:
    order = list(range(count))
    random.Random(f"{seed}/{epoch}").shuffle(order)  # noqa: S311 (nothing secret)
    return order
