"""The estimate of a prompt's tokens, against counts of real vocabularies."""

from __future__ import annotations

from pathlib import Path

import pytest

from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.settings import EngineSettings
from phicli.engine.types import LoadSettings
from phicli.plan.prompt_size import estimate_prompt, estimate_tokens

COUNTED = {
    "What is the capital of France? Answer in one word.": (12, 12, 12, 12),
    (
        "Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated "
        "documentation files (the “Software”), to deal in the Software without restriction, including without "
        "limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of it."
    ): (62, 62, 71, 64),
    (
        "def context_tokens(sizes: list[int], *, limit: int = 4096) -> int:\n"
        "    total = 0\n"
        "    for index, size in enumerate(sizes):\n"
        "        if size < 0 or total + size > limit:\n"
        '            raise ValueError(f"sizes[{index}] is {size}")\n'
        "        total += size\n"
        "    return total\n"
    ): (73, 72, 87, 76),
    (
        "static inline uint32_t rotl(uint32_t x, int k) { return (x << k) | (x >> (32 - k)); } /* n != 0 && n <= 31 */"
    ): (43, 43, 50, 55),
    '{"id": 10724, "values": [0.1437, 12.5, -3, 1e-9], "ok": true, "name": null, "tags": ["a", "b"]}': (50, 49, 56, 56),
    "31415926535897932384626433832795028841971693993751": (17, 17, 51, 50),
    "| yes | 12.5 | n/a |\n|---|---|---|\n| no | - | 7 |\n": (26, 26, 31, 31),
    "\n" * 40: (3, 2, 41, 10),
    "人工智能是计算机科学的一个分支，它企图了解智能的实质，并生产出一种新的智能机器。": (26, 43, 49, 63),
    "人工知能とは、計算という概念とコンピュータという道具を用いて知能を研究する計算機科学の一分野を指す語。": (
        39, 57, 58, 85,
    ),
    (
        "Искусственный интеллект — свойство систем выполнять творческие функции, "
        "которые считаются прерогативой человека."
    ): (24, 51, 28, 81),
    "Η Αθήνα είναι η πρωτεύουσα της Ελλάδας και η μεγαλύτερη πόλη της χώρας.": (22, 65, 72, 61),
    "القاهرة هي عاصمة مصر وأكبر مدنها، وتقع على ضفاف نهر النيل.": (22, 43, 55, 54),
    "दिल्ली भारत की राजधानी है और देश का सबसे बड़ा शहर है।": (32, 56, 56, 62),
    "L'intelligence artificielle est un ensemble de théories et de techniques visant à réaliser des machines.": (
        20, 24, 23, 27,
    ),
}  # fmt: skip
"""Texts, and how many tokens they have with the vocabularies of Phi-4-mini (o200k), Phi-4 (cl100k) and Phi-3, as
``benchmarks/tokenization.py`` makes them, and of SmolLM2."""


@pytest.mark.parametrize(("text", "counts"), COUNTED.items(), ids=lambda value: repr(value)[:20])
def test_prose_code_and_numbers_have_no_more_tokens_than_estimated(text: str, counts: tuple[int, ...]) -> None:
    assert max(counts) <= estimate_tokens(text)


def test_prose_and_code_are_not_estimated_much_too_large() -> None:
    """What is allocated and not needed takes memory."""
    texts = [text for text in COUNTED if text.isascii() and " " in text]
    assert sum(map(estimate_tokens, texts)) < 1.8 * sum(min(COUNTED[text]) for text in texts)


@pytest.mark.model
def test_the_counts_are_those_of_the_engine(smollm2: Path) -> None:
    engine = LlamaServerEngine(LoadSettings(smollm2, 256, EngineSettings(threads=1)))
    try:
        found = [len(engine.tokenize(text, parse_special=False)) for text in COUNTED]
    finally:
        engine.close()
    assert found == [counts[-1] for counts in COUNTED.values()]


def test_a_prompt_has_room_for_what_its_format_adds() -> None:
    assert estimate_prompt(()) == estimate_prompt((None, "")) > 0
    assert estimate_prompt(("a b", None, "c")) == estimate_prompt(()) + estimate_tokens("a b") + estimate_tokens("c")


def test_half_a_character_is_a_character() -> None:
    assert estimate_tokens("\ud83d") > 0
