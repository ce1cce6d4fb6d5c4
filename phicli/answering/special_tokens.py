"""The special tokens of a vocabulary in prompts: which ids text must never become, which ones a format may use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from phicli.errors import IntegrityError
from phicli.gguf_file.byte_letters import BYTE_OF_LETTER

_NEVER_STRIPPED_AFTER = frozenset({"<unk>", "<s>", "<|endoftext|>"})


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """What a file's vocabulary has besides ordinary text.

    Attributes:
        literals: id to literal of every special token, however the file marks it
            (:mod:`phicli.gguf_file.special_tokens`).
        space_prefix: the tokenizer puts a space in front of a text (SentencePiece's dummy prefix).
        unknown_id: the token for characters that the vocabulary cannot spell; often ``<|endoftext|>``, so it is
            only let through where its literal is not in the text.
        strips_after: ids behind which the engine itself drops white space when it parses a prompt.
    """

    literals: Mapping[int, str]
    space_prefix: bool = False
    unknown_id: int | None = None
    strips_after: frozenset[int] = frozenset()
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)
    _guarded: dict[int, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ids = {literal: token_id for token_id, literal in self.literals.items()}
        guarded = {token_id: literal for token_id, literal in self.literals.items() if not is_harmless(literal)}
        object.__setattr__(self, "_ids", ids)
        object.__setattr__(self, "_guarded", guarded)

    @classmethod
    def from_metadata(
        cls,
        literals: Mapping[int, str],
        *,
        tokenizer_model: str,
        add_space_prefix: bool | None = None,
        unknown_id: int | None = None,
        strips: bool = False,
    ) -> SpecialTokens:
        """Apply llama.cpp's rules (``src/llama-vocab.cpp``) to the metadata of a GGUF file.

        Args:
            literals: as in the class.
            tokenizer_model: ``tokenizer.ggml.model``; ``llama`` is SentencePiece.
            add_space_prefix: ``tokenizer.ggml.add_space_prefix``, None where the file has none (then SentencePiece
                adds one).
            unknown_id: ``tokenizer.ggml.unknown_token_id``.
            strips: the engine drops white space behind specials (:func:`phicli.plan.label.says_phi3`).
        """
        sentencepiece = tokenizer_model == "llama"
        stripping = {token_id for token_id, literal in literals.items() if literal not in _NEVER_STRIPPED_AFTER}
        return cls(
            literals=literals,
            space_prefix=sentencepiece and add_space_prefix is not False,
            unknown_id=unknown_id,
            strips_after=frozenset(stripping if strips else ()),
        )

    def id_of(self, literal: str) -> int | None:
        """The id of a special token, None where the file has none."""
        return self._ids.get(literal)

    def ids_of(self, literals: Iterable[str]) -> dict[str, int]:
        """The ids of special tokens by literal; those that the file has not are left out."""
        return {literal: self._ids[literal] for literal in literals if literal in self._ids}

    def require(self, literal: str) -> int:
        """The id of a special token.

        Raises:
            IntegrityError: the vocabulary has none.
        """
        token_id = self._ids.get(literal)
        if token_id is None:
            raise IntegrityError(
                f"the vocabulary of this file has no special token {literal}, which its prompt format needs",
                "the file does not contain the model it claims to be; see the models in the catalog: phi list",
            )
        return token_id

    def forged(self, ids: Sequence[int], text: str) -> set[str]:
        """Literals of the special tokens that ``text`` has become."""
        return {
            self._guarded[token_id]
            for token_id in set(ids) & self._guarded.keys()
            if token_id != self.unknown_id or any(part in text for part in spellings(self._guarded[token_id]))
        }

    @property
    def guarded(self) -> Mapping[int, str]:
        """The tokens that text must never become."""
        return self._guarded


def is_harmless(literal: str) -> bool:
    """Whether text may become this token: white space (the runs of spaces of phi-2), and single characters.

    A single character cannot be cut, and no prompt format is made of one: ``�`` is marked as special in some files
    of Phi-4-mini, and is text like any other.
    """
    return any(len(spelling) < 2 or not spelling.replace("▁", " ").strip() for spelling in spellings(literal))


def spellings(literal: str) -> tuple[str, ...]:
    """The texts that a literal can stand for: itself, and what it means in GPT-2's alphabet of bytes."""
    if literal.isascii():
        return (literal,)
    try:
        return literal, bytes(BYTE_OF_LETTER[character] for character in literal).decode()
    except (KeyError, UnicodeDecodeError):
        return (literal,)
