"""What is learned and what is not, with a tokenizer of single characters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from phicli.answering.special_tokens import SpecialTokens
from phicli.finetune.examples import PairMaker
from phicli.finetune.pairs_file import PairsFile, write_pairs

LITERALS = ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|im_start|>", "<|im_sep|>", "<|im_end|>")
SPECIALS = SpecialTokens({1 + number: literal for number, literal in enumerate(LITERALS)})
STRIPPING = SpecialTokens(SPECIALS.literals, strips_after=frozenset(range(1, 5)))
TALK = {
    "messages": [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "ONE"},
        {"role": "user", "content": "two"},
        {"role": "assistant", "content": "TWO"},
    ]
}


class Characters:
    def tokenize(self, text: str, *, parse_special: bool) -> tuple[int, ...]:
        return tuple(map(ord, text))


def shown(ids: Any) -> str:
    return "".join(SPECIALS.literals.get(one, chr(one)) for one in ids)


@pytest.mark.parametrize(
    ("name", "specials", "learned", "first"),
    [
        ("phi-4-mini", SPECIALS, ["ONE<|end|>", "TWO<|end|>"], "<|system|>S<|end|><|user|>one<|end|><|assistant|>"),
        ("phi-3", STRIPPING, ["ONE<|end|>", "TWO<|end|>"], "<|system|>S<|end|><|user|>one<|end|><|assistant|>"),
        ("phi-4", SPECIALS, ["ONE<|im_end|>", "TWO<|im_end|>"],
         "<|im_start|>system<|im_sep|>S<|im_end|><|im_start|>user<|im_sep|>one<|im_end|><|im_start|>assistant<|im_sep|>"),
    ],
)  # fmt: skip
def test_only_answers_and_their_ends_are_learned(
    name: str, specials: SpecialTokens, learned: list[str], first: str
) -> None:
    pairs = list(PairMaker(name, Characters(), specials, reasoning=False).pairs_of(TALK))
    assert [shown(pair.ids[pair.start :]) for pair in pairs] == learned
    assert shown(pairs[0].ids[: pairs[0].start]) == first
    assert shown(pairs[1].ids).startswith(shown(pairs[0].ids))


def test_an_answer_of_weight_0_is_history_only() -> None:
    weighed = {"messages": [*TALK["messages"][:2], {**TALK["messages"][2], "weight": 0}, *TALK["messages"][3:]]}
    pairs = list(PairMaker("phi-4-mini", Characters(), SPECIALS, reasoning=False).pairs_of(weighed))
    assert [shown(pair.ids[pair.start :]) for pair in pairs] == ["TWO<|end|>"]


def test_reasoning_is_learned_and_left_out_of_the_history() -> None:
    thought = "<think>hm</think>ONE"
    talk = {"messages": [*TALK["messages"][:2], {"role": "assistant", "content": thought}, *TALK["messages"][3:]]}
    pairs = list(PairMaker("phi-4-mini", Characters(), SPECIALS, reasoning=True).pairs_of(talk))
    assert shown(pairs[0].ids[pairs[0].start :]) == f"{thought}<|end|>"
    assert "hm" not in shown(pairs[1].ids)


def test_the_file_gives_back_what_was_written(tmp_path: Path) -> None:
    pairs = list(PairMaker("phi-4-mini", Characters(), SPECIALS, reasoning=False).pairs_of(TALK))
    assert write_pairs(tmp_path / "pairs", pairs) == 2
    with PairsFile(tmp_path / "pairs") as found:
        assert [found[1], found[0]] == pairs[::-1]
        assert list(found.lengths) == [len(pair.ids) for pair in pairs]
        assert list(found.learned) == [4, 4]
