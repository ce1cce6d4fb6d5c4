"""tiny-phi's tokeniser: byte-level BPE behind the pre-tokenizer that llama.cpp calls ``gpt-4o``, as in Phi-4-mini."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from training.tiny_phi.messages import SPECIALS, Conversation, segments

_CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_PATTERN = "|".join(
    (
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_CONTRACTION}",
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_CONTRACTION}",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)
"""How o200k splits text into the pieces inside which tokens are merged."""


@dataclass(frozen=True, slots=True)
class TinyTokenizer:
    """A vocabulary whose specials come only from the format: ``encode_text`` never yields one."""

    bpe: Tokenizer
    vocabulary: tuple[str, ...]
    merges: tuple[str, ...]

    @property
    def size(self) -> int:
        """Number of tokens, specials included."""
        return len(self.vocabulary)

    def special(self, literal: str) -> int:
        """The id of a special token."""
        return self.size - len(SPECIALS) + SPECIALS.index(literal)

    def encode_text(self, text: str) -> list[int]:
        """Ids of text that is only text."""
        return list(self.bpe.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids, with the specials written out as their literals."""
        parts: list[str] = []
        plain: list[int] = []
        first_special = self.size - len(SPECIALS)
        for token in [*ids, first_special]:
            if token < first_special:
                plain.append(token)
                continue
            parts += [self.bpe.decode(plain), self.vocabulary[token]]
            plain = []
        return "".join(parts[:-1])

    def encode(self, conversation: Conversation) -> tuple[list[int], list[bool]]:
        """Ids of a whole conversation, and which of them the model is to produce."""
        ids: list[int] = []
        learned: list[bool] = []
        for segment in segments(conversation):
            piece = [self.special(segment.text)] if segment.special else self.encode_text(segment.text)
            ids += piece
            learned += [segment.learned] * len(piece)
        return ids, learned


def pipeline() -> Tokenizer:
    """How text is split and spelled in bytes, with a vocabulary that is still empty."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    return bpe


def train_tokenizer(texts: Iterable[str], size: int) -> TinyTokenizer:
    """Learn merges from texts; all 256 bytes are tokens, so any text can be written in them."""
    bpe = pipeline()
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    learned = sorted(bpe.get_vocab().items(), key=lambda item: item[1])
    merges = json.loads(bpe.to_str())["model"]["merges"]
    return TinyTokenizer(
        bpe=bpe,
        vocabulary=(*(token for token, _ in learned), *SPECIALS),
        merges=tuple(" ".join(pair) for pair in merges),
    )
