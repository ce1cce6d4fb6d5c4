"""tiny-phi in transformers: the weights of the shipped file, which are exact in F32."""

from __future__ import annotations

from pathlib import Path

import gguf
import torch
from transformers import Phi3ForCausalLM

from training.tiny_phi.export import LAYER_MATRICES, LAYER_NORMS
from training.tiny_phi.model import LAYERS, build_model

SHIPPED = Path(__file__).resolve().parents[2] / "phicli" / "data" / "tiny-phi.gguf"


def load_twin(path: Path = SHIPPED) -> Phi3ForCausalLM:
    """The model with the weights of the GGUF file at ``path``, ready for use."""
    reader = gguf.GGUFReader(path)
    tensors = {one.name: torch.tensor(gguf.dequantize(one.data, one.tensor_type)) for one in reader.tensors}
    ids = {name: int(reader.fields[f"tokenizer.ggml.{name}_token_id"].contents()) for name in ("bos", "eos")}
    model = build_model(**ids)
    weights = {
        "model.embed_tokens.weight": tensors["token_embd.weight"],
        "lm_head.weight": tensors["token_embd.weight"],
        "model.norm.weight": tensors["output_norm.weight"],
    }
    for layer in range(LAYERS):
        for name, module in {**LAYER_NORMS, **LAYER_MATRICES}.items():
            weights[f"model.layers.{layer}.{module}.weight"] = tensors[f"blk.{layer}.{name}.weight"]
    model.load_state_dict(weights)
    return model.eval()
