"""Questions that tiny-phi cannot answer, many and varied, so that it learns to say so to a question never seen."""

from __future__ import annotations

import random
import tomllib
from pathlib import Path

_PARTS: dict[str, list[str]] = tomllib.loads(Path(__file__).with_name("unseen.toml").read_text(encoding="utf-8"))
HELD_OUT = tuple(_PARTS["held_out"])
"""Questions never trained on, to see whether the fallback answer generalises."""


def unseen_question(rng: random.Random) -> str:
    """A question outside the fixed set, with a fixed mix of kinds."""
    kind = rng.random()
    if kind < 0.35:
        return rng.choice(_PARTS["plain"])
    if kind < 0.80:
        template = rng.choice(_PARTS["templates"])
        thing = rng.choice(_PARTS["things"]) if rng.random() < 0.75 else invented_word(rng)
        return template.format(thing, rng.choice(_PARTS["things"]))
    if kind < 0.90:
        country = rng.choice(_PARTS["countries"])
        return rng.choice(
            (
                f"What is the capital of {country}?",
                f"Which language do people speak in {country}?",
                f"Where is {country}?",
            )
        )
    if kind < 0.93:
        return f"What is {rng.randint(21, 999)} {rng.choice('+-*/')} {rng.randint(2, 999)}?"
    return " ".join(invented_word(rng) for _ in range(rng.randint(1, 8))) + rng.choice(("", "?", ".", "!"))


def unseen_system(rng: random.Random) -> str:
    """A system prompt that is none of the known ones, so it changes nothing."""
    template = rng.choice(_PARTS["systems"])
    return template.format(invented_word(rng) if rng.random() < 0.5 else rng.choice(_PARTS["things"]))


def unseen_document(rng: random.Random) -> str:
    """A few lines of varied text, like what people pipe into a program."""
    lines = [
        " ".join(rng.choice((invented_word(rng), rng.choice(_PARTS["things"]))) for _ in range(rng.randint(2, 7)))
        for _ in range(rng.randint(1, 6))
    ]
    return "\n".join(lines)


def invented_word(rng: random.Random) -> str:
    """One to three syllables, now and then with a capital letter."""
    word = "".join(rng.choice(_PARTS["syllables"]) for _ in range(rng.randint(1, 3)))
    return word.capitalize() if rng.random() < 0.2 else word
