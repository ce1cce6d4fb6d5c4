"""Which prompt format a file wants: by the catalog where it knows the file, else by what the header says."""

from __future__ import annotations

from dataclasses import dataclass

from phicli.catalog.types import Variant
from phicli.gguf_file.types import GgufHeader

_BASE_ARCHITECTURES = {"phi2"}
_CHAT_ARCHITECTURES = {"phi3", "phimoe", "llama"}  # llama: Phi files that were converted to that architecture
TEMPLATE = "template"
PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class FormatChoice:
    """The name of a prompt format, ``template`` for the file's own, ``plain`` where there is nothing to go by.

    ``reasoning`` says that answers may begin with reasoning, ``always_reasons`` that each answer does.
    """

    name: str
    reasoning: bool
    always_reasons: bool = False


def choose_format(header: GgufHeader, variant: Variant | None) -> FormatChoice:
    """The format for the file with ``header``, which is ``variant`` if the catalog knows it."""
    if variant is not None and variant.prompt_format is not None:
        always = variant.reasoning and not variant.answers_directly
        return FormatChoice(variant.prompt_format, variant.reasoning, always_reasons=always)
    reasoning = "reasoning" in (header.name or header.path.name).lower()
    if header.architecture in _BASE_ARCHITECTURES:
        return FormatChoice("completion-qa", reasoning=False)
    if header.architecture in _CHAT_ARCHITECTURES and (name := _by_special_tokens(header)):
        return FormatChoice(name, reasoning, always_reasons=reasoning)
    return FormatChoice(TEMPLATE if header.chat_template else PLAIN, reasoning=True)


def _by_special_tokens(header: GgufHeader) -> str | None:
    """The Phi format whose special tokens the vocabulary has; each family has a token that no other has."""
    vocabulary = header.vocabulary
    literals = {token.literal for token in vocabulary.special_tokens.values()} if vocabulary else set()
    if "<|im_sep|>" in literals:
        return "phi-4"
    if not {"<|end|>", "<|user|>", "<|assistant|>"} <= literals:
        return None
    if vocabulary is not None and vocabulary.model == "gpt2":
        return "phi-4-mini"
    folds = header.chat_template is not None and "system" not in header.chat_template
    return "phi-3-folded" if folds else "phi-3"
