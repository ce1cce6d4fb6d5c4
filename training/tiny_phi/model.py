"""tiny-phi's shape: everything that makes Phi-4-mini hard for an engine, in about one million parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers import Phi3Config, Phi3ForCausalLM

VOCABULARY_SIZE = 1400
HIDDEN_SIZE = 128
FEED_FORWARD_SIZE = 384
LAYERS = 4
HEADS = 4
KV_HEADS = 2
HEAD_SIZE = HIDDEN_SIZE // HEADS
PARTIAL_ROTARY_FACTOR = 0.75
ROTARY_SIZE = int(HEAD_SIZE * PARTIAL_ROTARY_FACTOR)
ROPE_THETA = 10000.0
NORM_EPSILON = 1e-5
ORIGINAL_CONTEXT = 256
CONTEXT = 1024
SHORT_FACTORS = (1.0,) * (ROTARY_SIZE // 2)
LONG_FACTORS = tuple(round(33.0 ** (i / (ROTARY_SIZE // 2 - 1)), 6) for i in range(ROTARY_SIZE // 2))
"""LongRoPE: what each rotary frequency is divided by, from 1 (fastest) to 33 (slowest) as in Phi-4-mini."""
ATTENTION_FACTOR = math.sqrt(1 + math.log(CONTEXT / ORIGINAL_CONTEXT) / math.log(ORIGINAL_CONTEXT))
"""LongRoPE's scale of the rotated queries and keys: sqrt(1 + ln(max / original) / ln(original))."""


def build_model(bos: int, eos: int) -> Phi3ForCausalLM:
    """A freshly initialised model; the caller seeds torch before."""
    config = Phi3Config(
        vocab_size=VOCABULARY_SIZE,
        hidden_size=HIDDEN_SIZE,
        intermediate_size=FEED_FORWARD_SIZE,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        max_position_embeddings=CONTEXT,
        original_max_position_embeddings=ORIGINAL_CONTEXT,
        rms_norm_eps=NORM_EPSILON,
        tie_word_embeddings=True,
        sliding_window=None,
        bos_token_id=bos,
        eos_token_id=eos,
        pad_token_id=bos,
        rope_parameters={
            "rope_type": "longrope",
            "rope_theta": ROPE_THETA,
            "partial_rotary_factor": PARTIAL_ROTARY_FACTOR,
            "original_max_position_embeddings": ORIGINAL_CONTEXT,
            "short_factor": list(SHORT_FACTORS),
            "long_factor": list(LONG_FACTORS),
        },
        attn_implementation="sdpa",
    )
    model = Phi3ForCausalLM(config)
    scale = model.model.rotary_emb.attention_scaling
    if abs(scale - ATTENTION_FACTOR) > 1e-6:
        raise RuntimeError(f"transformers scales rotated heads by {scale}, the file would say {ATTENTION_FACTOR}")
    return model


@contextmanager
def long_factors(model: Phi3ForCausalLM) -> Iterator[None]:
    """Use the long factors whatever the length, as llama.cpp does when the allocated context is large."""
    rotary = model.model.rotary_emb
    short = rotary.original_inv_freq.clone()
    rotary.original_inv_freq.copy_(short / torch.tensor(LONG_FACTORS))
    try:
        yield
    finally:
        rotary.original_inv_freq.copy_(short)
