"""Byte pairs merged outside the engine, compared with the ``tokenizers`` library on a part of the real o200k.

``tests/data/o200k_sample.json`` has its merges that these texts can reach and the ids that the library gives them;
``python -m benchmarks.tokenization --record`` wrote it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.answering.byte_pairs import BytePairs, merged
from phicli.answering.model_file import byte_pairs_of
from phicli.answering.pool import whole
from phicli.chat_format.types import Message
from phicli.engine.types import Sampling
from phicli.gguf_file.byte_letters import LETTER_OF_BYTE
from phicli.gguf_file.header import read_header
from phicli.gguf_file.merges import Merges, read_merges
from phicli.gguf_file.split_patterns import GPT2, O200K
from phicli.gguf_file.types import SpecialToken
from tests.answering.conftest import Workshop, scripted
from tests.support.files import TINY_PHI
from tests.support.tokenizing import StartEngine
from tests.support.vocabularies import Vocabulary, write

SAMPLE = json.loads(Path(__file__).parents[1].joinpath("data", "o200k_sample.json").read_text(encoding="utf-8"))
TOKENS = tuple(dict.fromkeys([*LETTER_OF_BYTE.values(), *(merge.replace(" ", "") for merge in SAMPLE["merges"])]))
REAL = Vocabulary("gpt2", "o200k", TOKENS, (1,) * len(TOKENS), tuple(SAMPLE["merges"]), "gpt-4o")
INDIC = "नमस्ते दुनिया"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("o200k") / "o200k.gguf", REAL)


@pytest.mark.parametrize(
    ("text", "ids"), SAMPLE["cases"], ids=lambda value: value[:12] if isinstance(value, str) else ""
)
def test_tokens_are_those_of_the_library(file: Path, text: str, ids: list[int]) -> None:
    assert BytePairs(O200K, lambda: read_merges(file)).tokenize(text) == tuple(ids)


@pytest.mark.process
def test_the_engine_is_right_about_ascii_and_wrong_about_some_scripts(tokenizing_engine: StartEngine) -> None:
    """Why this exists; when the second half fails, llama.cpp's pattern has become the true one."""
    engine = tokenizing_engine(REAL)
    differing = [text for text, ids in SAMPLE["cases"] if engine.tokenize(text, parse_special=False) != tuple(ids)]
    assert not any(text.isascii() for text in differing)
    assert INDIC in " ".join(differing)


@pytest.mark.parametrize(
    ("pre", "end", "served"),
    [
        (None, 199_999, True), ("default", 199_999, True), (None, 100_257, True), ("gpt-4o", 199_999, False),
        ("dbrx", 100_257, None), (None, 50_256, True), ("gpt-2", 50_256, None), ("smollm", 0, None), (None, 0, None),
    ],
)  # fmt: skip
def test_ascii_is_served_where_the_file_has_lost_its_pattern(pre: str | None, end: int, served: bool | None) -> None:
    """``None``: not even other text is."""
    header = read_header(TINY_PHI)
    assert header.vocabulary is not None
    special = {end: SpecialToken("<|endoftext|>", 3)}
    pairs = byte_pairs_of(replace(header, vocabulary=replace(header.vocabulary, pre=pre, special_tokens=special)))
    assert (None if pairs is None else pairs.serves("plain ASCII")) is served


def test_only_text_beyond_ascii_is_served_and_costs_anything() -> None:
    def read() -> Merges:
        raise AssertionError("the vocabulary was read")

    pairs = BytePairs(O200K, read)
    assert not pairs.serves("plain ASCII\n\tx = 1;")
    with pytest.raises(AssertionError):
        pairs.serves("é")


def test_a_vocabulary_that_lacks_a_byte_is_left_to_the_engine() -> None:
    whole = {letter.encode(): place for place, letter in enumerate(LETTER_OF_BYTE.values())}
    assert BytePairs(O200K, lambda: Merges(whole, {})).serves("é")
    del whole[LETTER_OF_BYTE[0].encode()]
    assert not BytePairs(O200K, lambda: Merges(whole, {})).serves("é")


def test_a_merge_without_a_token_is_spelled_in_bytes() -> None:
    whole = {letter.encode(): place for place, letter in enumerate(LETTER_OF_BYTE.values())}
    left, right = (LETTER_OF_BYTE[byte].encode() for byte in "é".encode())
    pairs = BytePairs(O200K, lambda: Merges(whole, {left + b" " + right: 0}))
    assert pairs.tokenize("é") == (whole[left], whole[right])


def test_added_tokens_come_before_all_splitting() -> None:
    whole_bytes = {letter.encode(): place for place, letter in enumerate(LETTER_OF_BYTE.values())}
    pairs = BytePairs(GPT2, lambda: Merges(whole_bytes, {}), all_text=True, added={"  ": 900, "    ": 901})
    a, b, space = (whole_bytes[LETTER_OF_BYTE[ord(one)].encode()] for one in "ab ")
    assert pairs.tokenize("a       b") == (a, 901, 900, space, b)


def test_the_lowest_rank_is_merged_first_and_the_leftmost_of_several() -> None:
    ranks = {b"b c": 0, b"a b": 1, b"a a": 2, b"aa a": 3}
    assert merged([b"a", b"b", b"c"], ranks) == [b"a", b"bc"]
    assert merged([b"a"] * 5, ranks) == [b"aa", b"aaa"]
    assert merged([b"x"], ranks) == [b"x"]


def test_a_word_without_an_end_is_merged_too() -> None:
    ranks = {b"x" * size + b" " + b"x" * size: size for size in (1, 2, 4, 8)}
    assert merged([b"x"] * 20_000, ranks) == [b"x" * 16] * 1250


@pytest.mark.parametrize(
    ("changes", "own"),
    [({}, True), ({"pre": "dbrx"}, False), ({"pre": "gpt-2"}, False), ({"merges": ()}, False)],
)
def test_which_files_need_it(tmp_path: Path, changes: dict[str, object], own: bool) -> None:
    header = read_header(write(tmp_path / "a.gguf", replace(REAL, **changes)))  # type: ignore[arg-type]
    assert (byte_pairs_of(header) is not None) is own


@pytest.mark.parametrize(("text", "tokens"), [("e", 1), ("é", 2)])
def test_prompts_are_tokenized_so(text: str, tokens: int) -> None:
    """The scripted engine has one token for each character, the vocabulary here one for each byte."""
    whole_bytes = {letter.encode(): place for place, letter in enumerate(LETTER_OF_BYTE.values())}
    file, start = scripted()
    file = replace(file, byte_pairs=BytePairs(O200K, lambda: Merges(whole_bytes, {})))
    shop = Workshop(lambda: (file, start), pool=False)
    answer = whole(shop.model.answer([Message("user", text)], sampling=Sampling(max_tokens=2)))
    assert answer.usage.prompt_tokens == tokens + len(("<|user|>", "<|end|>", "<|assistant|>"))
