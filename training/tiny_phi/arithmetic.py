"""Small sums: an answer alone, or with the reasoning before it that Phi-4-mini-reasoning's system prompt asks for."""

from __future__ import annotations

import random
from dataclasses import dataclass

MATH_SYSTEM = "Your name is Phi, an AI math expert developed by Microsoft."


@dataclass(frozen=True, slots=True)
class Sum:
    """``first + second``, ``first - second`` or ``first * second``."""

    first: int
    operator: str
    second: int

    @property
    def result(self) -> int:
        """The value."""
        if self.operator == "+":
            return self.first + self.second
        return self.first - self.second if self.operator == "-" else self.first * self.second

    @property
    def question(self) -> str:
        """The question a user asks."""
        return f"What is {self.first} {self.operator} {self.second}?"

    @property
    def answer(self) -> str:
        """The answer without reasoning."""
        return f"{self.first} {self.operator} {self.second} = {self.result}"

    @property
    def reasoned_answer(self) -> str:
        """The answer after its reasoning, which stands between plain-text ``<think>`` tags."""
        steps = {
            "+": f"I start at {self.first} and go {self.second} further.",
            "-": f"I start at {self.first} and go {self.second} back.",
            "*": f"I take {self.first} and repeat it {self.second} times.",
        }
        return f"<think>{steps[self.operator]} That makes {self.result}.</think>{self.answer}"


SUMS = (
    Sum(7, "+", 5),
    Sum(2, "+", 2),
    Sum(9, "+", 8),
    Sum(12, "+", 11),
    Sum(9, "-", 4),
    Sum(12, "-", 7),
    Sum(6, "*", 7),
    Sum(3, "*", 4),
)
"""The sums of the fixed conversations."""


def random_sum(rng: random.Random) -> Sum:
    """Half of the time one of the fixed sums, else any addition or subtraction of small numbers."""
    if rng.random() < 0.5:
        return rng.choice(SUMS)
    first, second = rng.randint(1, 12), rng.randint(1, 12)
    if rng.random() < 0.6:
        return Sum(first, "+", second)
    return Sum(max(first, second), "-", min(first, second))
