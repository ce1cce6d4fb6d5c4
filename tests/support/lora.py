"""Adapters for tiny-phi: written as PEFT would save them, and computed once more with NumPy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from phicli.adapters.converting import write_adapter
from phicli.adapters.peft import read_peft
from tests.support.files import TINY_PHI
from tests.support.tiny_phi_numpy import Array, TinyPhi

MODULES = {
    "self_attn.qkv_proj": ("attn_qkv", 128, 256),
    "self_attn.o_proj": ("attn_output", 128, 128),
    "mlp.gate_up_proj": ("ffn_up", 128, 768),
    "mlp.down_proj": ("ffn_down", 384, 128),
}
"""Modules of tiny-phi: their names in a GGUF file, their inputs and outputs."""
LAYERS = 4

Tensors = dict[str, np.ndarray[Any, Any]]


def tensors(rank: int = 4, *, seed: int = 1, size: float = 0.1, modules: Mapping[str, Any] = MODULES) -> Tensors:
    """Random matrices of an adapter, by PEFT's names."""
    rng, found = np.random.default_rng(seed), Tensors()
    for layer in range(LAYERS):
        for module, (_, inputs, outputs) in modules.items():
            name = f"base_model.model.model.layers.{layer}.{module}"
            found[f"{name}.lora_A.weight"] = rng.normal(0, size, (rank, inputs)).astype(np.float32)
            found[f"{name}.lora_B.weight"] = rng.normal(0, size, (outputs, rank)).astype(np.float32)
    return found


def write_safetensors(path: Path, found: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """The tensors in a file; those of the type uint16 are BF16."""
    head: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, values in found.items():
        kind = {"float32": "F32", "float16": "F16", "uint16": "BF16", "float64": "F64"}[values.dtype.name]
        offsets = [len(data), len(data) + values.nbytes]
        head[name] = {"dtype": kind, "shape": list(values.shape), "data_offsets": offsets}
        data += values.tobytes()
    header = json.dumps(head).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + data)


def write_peft(folder: Path, found: Mapping[str, np.ndarray[Any, Any]] | None = None, **config: Any) -> Path:
    """A folder as PEFT saves it; ``config`` goes into ``adapter_config.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    usual = {
        "peft_type": "LORA",
        "r": 4,
        "lora_alpha": 8,
        "bias": "none",
        "base_model_name_or_path": "someone/tiny-phi",
    }
    (folder / "adapter_config.json").write_text(json.dumps(usual | config), encoding="utf-8")
    write_safetensors(folder / "adapter_model.safetensors", tensors() if found is None else found)
    return folder


def write_gguf(path: Path, found: Mapping[str, np.ndarray[Any, Any]] | None = None, **config: Any) -> Path:
    """An adapter of :func:`write_peft` as GGUF."""
    folder = write_peft(path.parent / f"{path.stem}-peft", found, **config)
    write_adapter(read_peft(folder), path, name=path.stem)
    return path


class Adapted(TinyPhi):
    """tiny-phi with adapters: W + factor B A."""

    def __init__(self, context_tokens: int = 256, path: Path = TINY_PHI) -> None:
        super().__init__(path, context_tokens)

    def add(self, found: Mapping[str, np.ndarray[Any, Any]], factor: float) -> Adapted:
        for name, a in found.items():
            module, _, kind = name.removeprefix("base_model.model.model.layers.").partition(".lora_")
            if kind == "A.weight":
                layer, _, inner = module.partition(".")
                b = found[name.replace("lora_A", "lora_B")]
                weight = f"blk.{layer}.{MODULES[inner][0]}.weight"
                self._tensors[weight] = self._tensors[weight] + factor * (b.astype(np.float64) @ a.astype(np.float64))
        return self

    def after(self, ids: list[int]) -> Array:
        """The log-probabilities of the tokens that may come after ``ids``."""
        found: Array = self.log_probabilities(ids)[-1]
        return found
