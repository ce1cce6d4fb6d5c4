"""Reads an adapter as PEFT saves it: a folder with ``adapter_config.json`` and ``adapter_model.safetensors``.

What the engine computes is ``W + alpha / rank x B A``. Everything else that PEFT can train is refused in words. Phi-3
and Phi-4 have their query, key and value in one matrix, and so do their GGUF files: the names change, and no number.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from phicli.adapters.safetensors import SafetensorsFile, SavedTensor, read_safetensors
from phicli.errors import IntegrityError, NotAnAdapterError, NotFoundError
from phicli.gguf_file.adapter import shape_text
from phicli.gguf_file.diagnose import GET_AGAIN, unreadable
from phicli.paths import read_small

CONFIG: Final = "adapter_config.json"
WEIGHTS: Final = "adapter_model.safetensors"
_PICKLE: Final = "adapter_model.bin"
_TENSOR: Final = re.compile(r"(?:base_model\.model\.)?(.+)\.lora_([AB])(?:\.[A-Za-z0-9_-]+)?\.weight")
_LAYER: Final = re.compile(r"(?:model\.)*layers\.(\d{1,5})\.(?:self_attn|mlp)\.(\w+)")
_MODULES: Final[Mapping[str, str]] = {
    "qkv_proj": "attn_qkv",
    "o_proj": "attn_output",
    "gate_up_proj": "ffn_up",
    "down_proj": "ffn_down",
}
"""The modules of ``Phi3ForCausalLM`` and what their matrices are called in a GGUF file."""
_SPLIT: Final = frozenset({"q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"})
_PLAIN_PATTERN: Final = re.compile(r"\^?[A-Za-z0-9_.]+")
_MATRIX: Final = 2
_FIRST_WEIGHTS: Final = ("true", "false", "gaussian", "eva", "orthogonal", "none")
"""Values of ``init_lora_weights`` that leave the model alone; PEFT writes ``true`` where it has made that so."""
_OTHER_KINDS: Final[Mapping[str, str]] = {
    "lora_bias": "it trained biases (lora_bias), which the engine does not have",
    "trainable_token_indices": "it trained single tokens (trainable_token_indices)",
    "layer_replication": "it repeats layers of the model (layer_replication)",
    "fan_in_fan_out": "it is for matrices that lie the other way (fan_in_fan_out)",
    "alora_invocation_tokens": "it acts only after certain tokens (alora_invocation_tokens)",
    "kasa_config": "it uses KaSA (kasa_config), which the engine does not have",
    "monteclora_config": "it uses MonteCLoRA (monteclora_config), which the engine does not have",
}
"""Settings that change what is computed, where they are set."""
_AGAIN: Final = "train it with plain LoRA: LoraConfig(target_modules='all-linear'); see docs/adapters.md"


@dataclass(frozen=True, slots=True)
class PeftPair:
    """The matrices for the tensor ``tensor`` of a GGUF file; ``B`` has to be multiplied by ``factor`` first."""

    tensor: str
    a: SavedTensor
    b: SavedTensor
    factor: float


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
    folder = path.parent if path.name in (CONFIG, WEIGHTS) else path
    return folder if is_peft_folder(folder) else None


def read_peft(folder: Path) -> PeftAdapter:
    """The adapter in ``folder``.

    Raises:
        NotFoundError: the folder lacks a file.
        NotAnAdapterError: it is an adapter that cannot be converted; says why and what to do.
        IntegrityError: a file is damaged.
    """
    config = _config(folder / CONFIG)
    _refuse_kinds(folder, config)
    alpha = _number(folder, config, "lora_alpha", default=8)
    if alpha <= 0:
        raise NotAnAdapterError(f"{folder} has lora_alpha {alpha:g}, with which it changes nothing", _AGAIN)
    if not (folder / WEIGHTS).exists():
        raise _without_weights(folder)
    file = read_safetensors(folder / WEIGHTS)
    return PeftAdapter(folder, alpha, base_name_of(config), tuple(_pairs(folder, config, alpha, file)), file)


def base_name_of(config: Mapping[str, Any]) -> str | None:
    """The model that the adapter was made for: ``owner/repo``, or the last part of a path; None where it is unknown."""
    named = config.get("base_model_name_or_path")
    if not isinstance(named, str) or not named.strip() or not named.isprintable():
        return None
    parts = [part for part in re.split(r"[/\\]", named) if part]
    is_repository = len(parts) == _MATRIX and "\\" not in named and not named.startswith((".", "~", "/"))
    return "/".join(parts) if is_repository else parts[-1] if parts else None


def _config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(read_small(path))
    except OSError as error:
        raise unreadable(path, error) from None
    except (ValueError, RecursionError):
        raise IntegrityError(f"{path} is not JSON", GET_AGAIN) from None
    if not isinstance(config, dict):
        raise IntegrityError(f"{path} is not a JSON object", GET_AGAIN)
    return config


def _refuse_kinds(folder: Path, config: Mapping[str, Any]) -> None:
    """Return if the adapter is one that the engine can compute."""
    kind, start = str(config.get("peft_type")), str(config.get("init_lora_weights", True)).lower()
    others = [name for name in config if name.startswith("use_") and name != "use_rslora" and config[name]]
    reasons = {
        f"it is an adapter of the type {kind[:40]}, not LORA": kind != "LORA",
        "it trained biases (bias), which the engine does not have": config.get("bias", "none") not in ("none", None),
        f"it replaces whole modules (modules_to_save): {_listed(config.get('modules_to_save'))}": config.get(
            "modules_to_save"
        ),
        f"its first weights (init_lora_weights {start[:20]}) changed the model, and phi does not have the changed "
        "model": start not in _FIRST_WEIGHTS,
        f"it uses {_listed(others)}, which the engine does not have": others,
        **{reason: config.get(name) for name, reason in _OTHER_KINDS.items()},
    }
    for reason, holds in reasons.items():
        if holds:
            raise NotAnAdapterError(f"the adapter in {folder} cannot be used: {reason}", _AGAIN)


def _pairs(folder: Path, config: Mapping[str, Any], alpha: float, file: SafetensorsFile) -> Iterator[PeftPair]:
    found: dict[str, dict[str, SavedTensor]] = {}
    for name, tensor in file.tensors.items():
        match = _TENSOR.fullmatch(name)
        if match is None:
            raise _unknown(folder, name)
        found.setdefault(match[1], {})[match[2]] = tensor
    if not found:
        raise IntegrityError(f"{file.path} contains no tensors", GET_AGAIN)
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
    factor = _alpha_of(folder, config, module, alpha) / alpha
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
    match = _LAYER.fullmatch(module)
    if match is not None and match[2] in _MODULES:
        return f"blk.{int(match[1])}.{_MODULES[match[2]]}.weight"
    name = match[2] if match is not None else module
    if name in _SPLIT:
        raise NotAnAdapterError(
            f"the adapter in {folder} cannot be used: it changes {name}, which Phi-3 and Phi-4 do not have on its own "
            "(they have qkv_proj and gate_up_proj)",
            "check that its base model is Phi-3 or Phi-4 (Phi3ForCausalLM)",
        )
    known = ", ".join((*_MODULES, "lm_head"))
    raise NotAnAdapterError(
        f"the adapter in {folder} cannot be used: it changes {name[:80]}; phi knows {known}", _AGAIN
    )


def _alpha_of(folder: Path, config: Mapping[str, Any], module: str, alpha: float) -> float:
    """The alpha of ``module``, as ``alpha_pattern`` has it: by the end of its name."""
    patterns = config.get("alpha_pattern") or {}
    if not isinstance(patterns, dict):
        raise IntegrityError(f"{folder / CONFIG}: alpha_pattern is not an object", GET_AGAIN)
    for pattern in patterns:
        if not _PLAIN_PATTERN.fullmatch(pattern):
            raise NotAnAdapterError(
                f"the adapter in {folder} cannot be used: alpha_pattern has {pattern[:80]!r}, and phi reads names only",
                "replace the pattern by the names of the modules in adapter_config.json",
            )
        whole = pattern.startswith("^")
        if module == pattern.removeprefix("^") or (not whole and module.endswith(f".{pattern}")):
            return _number(folder, patterns, pattern, default=alpha)
    return alpha


def _number(folder: Path, values: Mapping[str, Any], key: str, *, default: float) -> float:
    value = values.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise IntegrityError(f"{folder / CONFIG}: {key} is {str(value)[:40]!r}, which should be a number", GET_AGAIN)
    return float(value)


def _unknown(folder: Path, name: str) -> NotAnAdapterError:
    if "lora_embedding" in name:
        reason = "it changes the token embedding (embed_tokens)"
    elif "lora_magnitude" in name:
        reason = "it uses DoRA, which the engine does not have"
    else:
        reason = f"the tensor {name[:80]!r} is not one of a LoRA adapter"
    return NotAnAdapterError(f"the adapter in {folder} cannot be used: {reason}", _AGAIN)


def _without_weights(folder: Path) -> NotFoundError:
    if (folder / _PICKLE).exists():
        return NotFoundError(
            f"{folder} has its weights in {_PICKLE}, a Python pickle, which phi does not read: it could run any code",
            "save it again with PEFT: model.save_pretrained(FOLDER, safe_serialization=True)",
        )
    return NotFoundError(f"{folder} has no {WEIGHTS}", "copy the whole folder that PEFT saved")


def _order(module: str) -> tuple[int, str]:
    match = _LAYER.fullmatch(module)
    return (int(match[1]) if match else -1, module)


def _listed(value: Any) -> str:
    names = [str(one)[:40] for one in value] if isinstance(value, list) else [str(value)[:40]]
    return ", ".join(names[:4])
