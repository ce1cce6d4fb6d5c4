"""Writes tiny-phi as GGUF: architecture ``phi3``, weights F16, norms and LongRoPE factors F32."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import torch
from transformers import Phi3ForCausalLM

from training.tiny_phi import model as shape
from training.tiny_phi.messages import SPECIALS
from training.tiny_phi.tokenizer import TinyTokenizer

DESCRIPTION = (
    "A toy of about one million parameters that proves an installation works: it has the shape of Phi-4-mini and knows "
    "about a hundred answers by heart. It is not made by Microsoft and contains no weights of any Phi model."
)
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' and 'tools' in message and message['tools'] is not none %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|tool|>' + message['tools'] + '<|/tool|>' + '<|end|>' }}"
    "{% else %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ eos_token }}{% endif %}"
)
"""The template published with Phi-4-mini."""

LAYER_MATRICES = {
    "attn_qkv": "self_attn.qkv_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_up": "mlp.gate_up_proj",
    "ffn_down": "mlp.down_proj",
}
LAYER_NORMS = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}


def round_to_file_precision(model: Phi3ForCausalLM) -> None:
    """Round the matrices to F16 in place, so that transformers computes with the very weights of the file."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.copy_(parameter.half().float())


def write_gguf(model: Phi3ForCausalLM, tokenizer: TinyTokenizer, path: Path) -> None:
    """Write the model, its vocabulary and its chat template to one file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(str(path), "phi3")
    _add_shape(writer)
    _add_vocabulary(writer, tokenizer)
    _add_tensors(writer, model)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_shape(writer: gguf.GGUFWriter) -> None:
    writer.add_name("tiny-phi")
    writer.add_description(DESCRIPTION)
    writer.add_license("mit")
    writer.add_size_label("1M")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_context_length(shape.CONTEXT)
    writer.add_embedding_length(shape.HIDDEN_SIZE)
    writer.add_feed_forward_length(shape.FEED_FORWARD_SIZE)
    writer.add_block_count(shape.LAYERS)
    writer.add_head_count(shape.HEADS)
    writer.add_head_count_kv(shape.KV_HEADS)
    writer.add_layer_norm_rms_eps(shape.NORM_EPSILON)
    writer.add_sliding_window(0)
    writer.add_rope_dimension_count(shape.ROTARY_SIZE)
    writer.add_rope_freq_base(shape.ROPE_THETA)
    writer.add_rope_scaling_orig_ctx_len(shape.ORIGINAL_CONTEXT)
    writer.add_rope_scaling_attn_factors(shape.ATTENTION_FACTOR)


def _add_vocabulary(writer: gguf.GGUFWriter, tokenizer: TinyTokenizer) -> None:
    plain = tokenizer.size - len(SPECIALS)
    kinds = [gguf.TokenType.NORMAL] * plain + [gguf.TokenType.CONTROL] * len(SPECIALS)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-4o")
    writer.add_token_list(list(tokenizer.vocabulary))
    writer.add_token_types([int(kind) for kind in kinds])
    writer.add_token_merges(list(tokenizer.merges))
    writer.add_bos_token_id(tokenizer.special("<|endoftext|>"))
    writer.add_eos_token_id(tokenizer.special("<|end|>"))
    writer.add_pad_token_id(tokenizer.special("<|endoftext|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def _add_tensors(writer: gguf.GGUFWriter, model: Phi3ForCausalLM) -> None:
    weights = {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}
    writer.add_tensor("token_embd.weight", weights["model.embed_tokens.weight"].astype(np.float16))
    writer.add_tensor("output_norm.weight", weights["model.norm.weight"].astype(np.float32))
    writer.add_tensor("rope_factors_long.weight", np.array(shape.LONG_FACTORS, dtype=np.float32))
    writer.add_tensor("rope_factors_short.weight", np.array(shape.SHORT_FACTORS, dtype=np.float32))
    for layer in range(shape.LAYERS):
        source, target = f"model.layers.{layer}", f"blk.{layer}"
        for name, module in LAYER_NORMS.items():
            writer.add_tensor(f"{target}.{name}.weight", weights[f"{source}.{module}.weight"].astype(np.float32))
        for name, module in LAYER_MATRICES.items():
            writer.add_tensor(f"{target}.{name}.weight", weights[f"{source}.{module}.weight"].astype(np.float16))
