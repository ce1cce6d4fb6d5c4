"""Reads an adapter as PEFT saves it: a folder with ``adapter_config.json`` and ``adapter_model.safetensors``.

What the engine computes is ``W + alpha / rank x B A``. Everything else that PEFT can train is refused in words. Phi-3
and Phi-4 have their query, key and value in one matrix, and so do their GGUF files: the names change, and no number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from phicli.adapters.alphas import alpha_of
from phicli.adapters.peft_config import AGAIN, base_name_of, number_in, read_config, refuse_kinds, refused
from phicli.adapters.safetensors import SafetensorsFile, SavedTensor, read_safetensors
from phicli.errors import IntegrityError, NotAnAdapterError, NotFoundError
from phicli.gguf_file.adapter import EMBEDDING, shape_text
from phicli.gguf_file.diagnose import GET_AGAIN
from phicli.hub.peft_files import CONFIG, PARTS, PICKLE, WEIGHTS

_TENSOR: Final = re.compile(
    r"(?:base_model\.model\.)?(.+)\.lora_(?:([AB])(?:\.[A-Za-z0-9_-]+)?\.weight|embedding_([AB])(?:\.[A-Za-z0-9_-]+)?)"
)
_FROZEN: Final = re.compile(r"(?:base_model\.model\.)?(.+)\.base_layer\.weight")
"""The matrix of the model itself, which PEFT saves with an adapter of the embedding or of the output layer."""
_LAYER: Final = re.compile(r"(?:model\.)*layers\.(\d{1,5})\.(?:self_attn|mlp)\.(\w+)")
_EMBEDDING: Final = re.compile(r"(?:model\.)*embed_tokens")
_MODULES: Final[Mapping[str, str]] = {
    "qkv_proj": "attn_qkv",
    "o_proj": "attn_output",
    "gate_up_proj": "ffn_up",
    "down_proj": "ffn_down",
}
"""The modules of ``Phi3ForCausalLM`` and what their matrices are called in a GGUF file."""
_SPLIT: Final = frozenset({"q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"})
_MATRIX: Final = 2


@dataclass(frozen=True, slots=True)
class PeftPair:
    """The matrices for the tensor ``tensor`` of a GGUF file; ``B`` has to be multiplied by ``factor`` first."""

    tensor: str
    a: SavedTensor
    b: SavedTensor
    factor: float

    @property
    def is_transposed(self) -> bool:
        """Whether ``A`` lies the other way in a GGUF file: that of the embedding, which is looked up by token."""
        return self.tensor == EMBEDDING


@dataclass(frozen=True, slots=True)
class PeftAdapter:
    """An adapter that can be converted. ``base_name`` is None where the folder does not name its model."""

    folder: Path
    alpha: float
    base_name: str | None
    pairs: tuple[PeftPair, ...]
    file: SafetensorsFile


def is_peft_folder(path: Path) -> bool:
    """Whether ``path`` is a folder with an adapter of PEFT."""
    return (path / CONFIG).is_file()


def folder_of(path: Path) -> Path | None:
    """The folder of the adapter that ``path`` means: itself, or that of one of its files; None for something else."""
    folder = path.parent if path.name in (CONFIG, WEIGHTS, PICKLE) else path
    return folder if is_peft_folder(folder) else None


def read_peft(folder: Path) -> PeftAdapter:
    """The adapter in ``folder``.

    Raises:
        NotFoundError: the folder lacks a file.
        NotAnAdapterError: it is an adapter that cannot be converted; says why and what to do.
        IntegrityError: a file is damaged.
    """
    config = read_config(folder / CONFIG)
    refuse_kinds(folder, config)
    alpha = number_in(folder, config, "lora_alpha", default=8)
    if alpha == 0:
        raise NotAnAdapterError(f"{folder} has lora_alpha 0, with which it changes nothing", AGAIN)
    if not (folder / WEIGHTS).exists():
        raise _without_weights(folder)
    file = read_safetensors(folder / WEIGHTS)
    return PeftAdapter(folder, alpha, base_name_of(config), tuple(_pairs(folder, config, alpha, file)), file)


def _pairs(folder: Path, config: Mapping[str, Any], alpha: float, file: SafetensorsFile) -> Iterator[PeftPair]:
    found: dict[str, dict[str, SavedTensor]] = {}
    frozen: dict[str, SavedTensor] = {}
    for name, tensor in file.tensors.items():
        match = _TENSOR.fullmatch(name)
        if match is not None:
            found.setdefault(match[1], {})[match[2] or match[3]] = tensor
        elif base := _FROZEN.fullmatch(name):
            frozen[base[1]] = tensor
        else:
            raise _unknown(folder, name)
    if not found:
        raise IntegrityError(f"{file.path} contains no tensors of an adapter", GET_AGAIN)
    if alone := next((tensor for module, tensor in frozen.items() if module not in found), None):
        raise _unknown(folder, alone.name)
    for module, both in sorted(found.items(), key=lambda item: _order(item[0])):
        yield _pair(folder, config, alpha, module, both)


def _pair(
    folder: Path, config: Mapping[str, Any], alpha: float, module: str, both: Mapping[str, SavedTensor]
) -> PeftPair:
    tensor = gguf_name(folder, module)
    if len(both) != _MATRIX:
        raise IntegrityError(f"{folder / WEIGHTS} has only one of the two matrices for {module}", GET_AGAIN)
    a, b = both["A"], both["B"]
    if len(a.shape) != _MATRIX or len(b.shape) != _MATRIX or a.shape[0] != b.shape[1] or a.shape[0] == 0:
        shapes = f"{shape_text(a.shape)} and {shape_text(b.shape)}"
        raise IntegrityError(
            f"{folder / WEIGHTS}: the matrices for {module} do not fit each other: {shapes}", GET_AGAIN
        )
    factor = alpha_of(folder, config, module, alpha) / alpha
    if config.get("use_rslora"):  # alpha / sqrt(rank) instead of alpha / rank
        factor *= math.sqrt(a.shape[0])
    return PeftPair(tensor, a, b, factor)


def gguf_name(folder: Path, module: str) -> str:
    """The tensor of a GGUF file that holds the matrix of ``module``.

    Raises:
        NotAnAdapterError: the matrix is not one of its own there.
    """
    if module == "lm_head":
        return "output.weight"
    if _EMBEDDING.fullmatch(module):
        return EMBEDDING
    match = _LAYER.fullmatch(module)
    if match is not None and match[2] in _MODULES:
        return f"blk.{int(match[1])}.{_MODULES[match[2]]}.weight"
    name = match[2] if match is not None else module
    if name in _SPLIT:
        raise NotAnAdapterError(
            f"the adapter in {folder} cannot be used: it changes {name}, which Phi-3 and Phi-4 do not have on its own "
            "(they have qkv_proj and gate_up_proj)",
            "check that its base model is Phi-3 or Phi-4 in its own shape (Phi3ForCausalLM), not another model or a "
            "copy in the shape of Llama",
        )
    known = ", ".join((*_MODULES, "lm_head", "embed_tokens"))
    raise refused(folder, f"it changes {name[:80]}; phi knows {known}")


def _unknown(folder: Path, name: str) -> NotAnAdapterError:
    short = name.removeprefix("base_model.model.")[:80]
    if "lora_magnitude" in name:
        return refused(folder, "it uses DoRA, which the engine does not have")
    if short.endswith((".bias", ".lora_B.bias")):
        return refused(folder, f"it trained a bias ({short}), which the engine does not have")
    if short.endswith(("embed_tokens.weight", "lm_head.weight", "base_layer.weight")):
        return NotAnAdapterError(
            f"the adapter in {folder} cannot be used: it has all of {short}, as adapters have whose vocabulary was "
            "changed, or that trained it",
            "if neither is so, save it again: model.save_pretrained(FOLDER, save_embedding_layers=False); else merge "
            "it with PEFT (model.merge_and_unload()) and convert that model to GGUF",
        )
    return refused(folder, f"the tensor {short!r} is not one of a LoRA adapter")


def _without_weights(folder: Path) -> NotFoundError:
    if (folder / PICKLE).exists():
        return NotFoundError(
            f"{folder} has its weights in {PICKLE}, a Python pickle, which phi does not read: it could run any code",
            "save it again with PEFT: model.save_pretrained(FOLDER, safe_serialization=True)",
        )
    if parts := sorted(folder.glob(PARTS)):
        return NotFoundError(
            f"{folder} has its weights in {len(parts)} parts ({parts[0].name}), which neither phi nor PEFT reads",
            f"put them into one {WEIGHTS}: safetensors.torch.save_file(ALL_TENSORS, '{WEIGHTS}')",
        )
    return NotFoundError(f"{folder} has no {WEIGHTS}", "copy the whole folder that PEFT saved")


def _order(module: str) -> tuple[int, str]:
    match = _LAYER.fullmatch(module)
    return (int(match[1]) if match else -1, module)
