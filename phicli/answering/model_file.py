"""What answering needs to know of a model file: its vocabulary and its prompt format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from phicli.answering.byte_pairs import BytePairs
from phicli.answering.special_tokens import SpecialTokens, is_harmless
from phicli.chat_format import format_by_name
from phicli.chat_format.file_template import FileTemplate
from phicli.chat_format.types import PromptFormat
from phicli.gguf_file.ggml_types import TOKEN_USER_DEFINED
from phicli.gguf_file.merges import read_merges
from phicli.gguf_file.split_patterns import TRUE_PATTERNS, lost_pattern
from phicli.gguf_file.types import GgufHeader
from phicli.plan.identify import TEMPLATE, FormatChoice
from phicli.plan.label import name_for_engine, says_phi3
from phicli.plan.load import LoadPlan


class TemplateRenderer(Protocol):
    """The part of an engine that a prompt format may need."""

    def render_template(self, messages: Sequence[dict[str, str]]) -> str:
        """The prompt that the file's own chat template makes of ``messages``."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """The prompt format of the model in a file.

    ``format_for`` makes the prompt format, given an engine that has the file loaded: most formats ignore it, the
    format of a file that is not a Phi asks it for the file's own template. ``byte_pairs`` tokenizes the text that the
    engine would split otherwise than the model's own tokenizer; None where there is no such text. ``end_id`` is the
    token that ends a text; None where the file names none.
    """

    name: str
    quant: str | None
    special_tokens: SpecialTokens
    bos_id: int | None
    format_for: Callable[[TemplateRenderer], PromptFormat]
    byte_pairs: BytePairs | None = None
    end_id: int | None = None


def model_file(plan: LoadPlan, header: GgufHeader) -> ModelFile:
    """The model file that ``plan`` loads; ``header`` is its header."""
    return ModelFile(
        name=plan.model.name,
        quant=plan.model.quant or header.quant,
        special_tokens=special_tokens_of(header),
        bos_id=bos_id_of(header),
        format_for=lambda engine: format_of(plan.format, engine),
        byte_pairs=byte_pairs_of(header),
        end_id=header.vocabulary.eos_id if header.vocabulary else None,
    )


def format_of(choice: FormatChoice, engine: TemplateRenderer) -> PromptFormat:
    """The prompt format that was chosen for a file; ``engine`` renders the file's own template, where that is it."""
    if choice.name == TEMPLATE:
        return FileTemplate(engine.render_template, reasoning=choice.reasoning)
    return format_by_name(choice.name, reasoning=choice.reasoning, always_reasons=choice.always_reasons)


def special_tokens_of(header: GgufHeader) -> SpecialTokens:
    """The special tokens of a file's vocabulary, with what the engine does around them."""
    vocabulary = header.vocabulary
    if vocabulary is None:
        return SpecialTokens({})
    metadata = header.metadata
    prefix, unknown = metadata.get("tokenizer.ggml.add_space_prefix"), metadata.get("tokenizer.ggml.unknown_token_id")
    return SpecialTokens.from_metadata(
        {token_id: token.literal for token_id, token in vocabulary.special_tokens.items()},
        tokenizer_model=vocabulary.model or "",
        add_space_prefix=prefix if isinstance(prefix, bool) else None,
        unknown_id=unknown if isinstance(unknown, int) else None,
        strips=says_phi3(name_for_engine(header) or header.name),
    )


def byte_pairs_of(header: GgufHeader) -> BytePairs | None:
    """What tokenizes text that the engine would split otherwise; None for vocabularies that it splits rightly."""
    vocabulary = header.vocabulary
    if vocabulary is None or vocabulary.model != "gpt2" or not vocabulary.merges:
        return None
    pattern, lost = TRUE_PATTERNS.get(vocabulary.pre or ""), lost_pattern(vocabulary)
    if pattern is None and lost is None:
        return None
    added = {
        token.literal: token_id
        for token_id, token in vocabulary.special_tokens.items()
        if token.kind == TOKEN_USER_DEFINED and is_harmless(token.literal)
    }
    return BytePairs(pattern or lost or "", lambda: read_merges(header.path), all_text=lost is not None, added=added)


def bos_id_of(header: GgufHeader) -> int | None:
    """The token a prompt begins with: where the file asks for one, or is of a kind that always has one."""
    vocabulary = header.vocabulary
    if vocabulary is None:
        return None
    wanted = vocabulary.add_bos if vocabulary.add_bos is not None else vocabulary.model == "llama"
    return vocabulary.bos_id if wanted else None
