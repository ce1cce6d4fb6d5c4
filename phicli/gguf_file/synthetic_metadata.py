"""Metadata that every invented file has, whether its weights are random or a hole."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from phicli.gguf_file.synthetic_vocabulary import SyntheticVocabulary

if TYPE_CHECKING:
    from gguf import GGUFWriter


def add_vocabulary(writer: GGUFWriter, vocabulary: SyntheticVocabulary) -> None:
    """Write ``vocabulary`` as that of a byte-pair tokenizer of Phi-4-mini's kind."""
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-4o")
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.types)
    writer.add_token_merges(vocabulary.merges)
    writer.add_bos_token_id(vocabulary.bos_id)
    writer.add_eos_token_id(vocabulary.eos_id)
    writer.add_eot_token_id(vocabulary.eot_id)
    writer.add_add_bos_token(False)


def add_longrope(writer: GGUFWriter, context_tokens: int, original_tokens: int) -> None:
    """Write the original context and the attention factor that LongRoPE has for a context of ``context_tokens``."""
    writer.add_rope_scaling_orig_ctx_len(original_tokens)
    growth = math.log(context_tokens / original_tokens) / math.log(original_tokens)
    writer.add_rope_scaling_attn_factors(math.sqrt(1 + growth))
