"""Text to tokens and back with a SentencePiece vocabulary: as the default engine does it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from phicli.engine.sentence_pieces import SentencePieces
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.settings import EngineSettings
from phicli.engine.types import LoadSettings
from phicli.errors import IntegrityError
from tests.support.lookback import write_script

WORDS = [
    "▁",
    "▁the",
    "▁then",
    "he",
    "hen",
    "▁▁",
    "é",
    "▁日本",
    "語",
    "ab",
    "abc",
    "bc",
    "▁a",
    "aa",
    "aaaa",
    ".",
    "\n\n",
]
TEXTS = [
    "the then", " the", "  the   hen", "abcabc", "aaaaaaa", "bcbcab", "a" * 50, "日本語 日本", "éé e\u0301",
    "🎉 party 🎉",
    "\n\n\n", "\t", "▁the", "x<|end|>y", "<|user|>", "</s><s><unk>", "the\x00hen", "ünïcödé", "\u2028", "🏳️‍🌈", "<0x41>",
]  # fmt: skip


def vocabulary_of(tokens: dict[str, int], **more: object) -> SentencePieces:
    """Few tokens, each with its type."""
    scores = [float(len(token)) for token in tokens]
    fields: dict[str, object] = {"end_ids": set[int](), "space_prefix": False, **more}
    return SentencePieces(tuple(tokens), scores, tuple(tokens.values()), **fields)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("words") / "words.gguf"
    write_script(path, WORDS, space_prefix=True)
    return path


@pytest.fixture(scope="module")
def reference(path: Path) -> Iterator[LlamaServerEngine]:
    engine = LlamaServerEngine(LoadSettings(path, 256, EngineSettings(1)))
    yield engine
    engine.close()


@pytest.mark.process
@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_tokens_are_those_of_the_default_engine(path: Path, reference: LlamaServerEngine, text: str) -> None:
    pieces = SentencePieces.of_file(path)
    ids = pieces.tokenize(text, parse_special=False)
    assert ids == reference.tokenize(text, parse_special=False)
    assert b"".join(map(pieces.bytes_of, ids)).decode() == " " + text.replace("▁", " ")
    assert pieces.tokenize(text, parse_special=True) == reference.tokenize(text, parse_special=True)


def test_a_file_can_ask_for_no_space_in_front(tmp_path: Path) -> None:
    path = tmp_path / "script.gguf"
    write_script(path, WORDS)
    pieces = SentencePieces.of_file(path)
    ids = pieces.tokenize("the", parse_special=False)
    assert b"".join(map(pieces.bytes_of, ids)) == b"the"


def test_no_text_has_no_tokens(path: Path) -> None:
    assert SentencePieces.of_file(path).tokenize("", parse_special=True) == ()


def test_a_token_may_end_inside_a_character(path: Path) -> None:
    pieces = SentencePieces.of_file(path)
    parts = [pieces.bytes_of(token_id) for token_id in pieces.tokenize("🎉", parse_special=False)]
    assert parts == [b" ", b"\xf0", b"\x9f", b"\x8e", b"\x89"]


def test_special_tokens_have_no_text_unless_they_are_user_defined() -> None:
    pieces = vocabulary_of({"<|user|>": 3, "<|tool|>": 4, "<|end|>": 4, "[PAD]": 5, "<unk>": 2, "word": 1, "▁x": 0})
    found = [pieces.bytes_of(token_id) for token_id in range(7)]
    assert found == [b"", b"<|tool|>", b"", b"", b"", b"word", b" x"]
    assert pieces.bytes_of(7) == pieces.bytes_of(-1) == b""


def test_the_ends_of_an_answer() -> None:
    pieces = vocabulary_of({"<|end|>": 3, "<|endoftext|>": 4, "</s>": 1, "end": 1}, end_ids={3, 99})
    assert pieces.end_ids == {0, 1, 3}


def test_literals_that_begin_alike() -> None:
    pieces = vocabulary_of({"<|a|>": 3, "<|a|>b": 4, "b": 1})
    assert pieces.tokenize("<|a|>bb", parse_special=True) == (1, 2)


def test_a_vocabulary_without_all_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "script.gguf"
    write_script(path, ["a"])
    path.write_bytes(path.read_bytes().replace(b"<0x41>", b"<0xZZ>"))
    with pytest.raises(IntegrityError, match="no tokens for some of the 256 bytes"):
        SentencePieces.of_file(path)
