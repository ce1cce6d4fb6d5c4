"""The model with its adapter, on its device. Only the worker imports this."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from phicli.finetune.failures import WeightsError
from phicli.finetune.options import Recipe
from phicli.units import counted

_LAYER = re.compile(r"layers\.\d+\.(?:self_attn|mlp)\.\w+_proj\.")


def open_adapted(folder: Path, name: str, recipe: Recipe) -> Any:
    """The model in ``folder`` with a new adapter, which says that it was made for ``name``.

    Raises:
        OSError: it cannot be read.
        RuntimeError: there is no memory for it, or no GPU.
        WeightsError: the weights are not those of the model in config.json.
    """
    dtype = getattr(torch, recipe.dtype)
    found: Any = AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, local_files_only=True, output_loading_info=True, **_placed(recipe, dtype)
    )
    base, loaded = found
    _require_all(loaded)
    base.config.use_cache = False
    config = LoraConfig(
        r=recipe.rank, lora_alpha=recipe.alpha, lora_dropout=recipe.dropout, target_modules="all-linear",
        task_type="CAUSAL_LM",
    )  # fmt: skip
    model: Any = get_peft_model(base, config)
    model.peft_config["default"].base_model_name_or_path = name
    if recipe.checkpointing:
        model.enable_input_require_grads()
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return model


def _require_all(loaded: Mapping[str, Any]) -> None:
    """Return if each matrix of the model came from the files, and each layer in them went into the model.

    transformers fills what is missing with random numbers, and leaves out what is too many.
    """
    missing = sorted(map(str, loaded["missing_keys"]))
    if missing:
        raise WeightsError(f"the weights lack {counted(len(missing), 'tensor')} of the model, e.g. {missing[0]}")
    surplus = sorted(name for name in map(str, loaded["unexpected_keys"]) if _LAYER.search(name))
    if surplus:
        raise WeightsError(
            f"config.json does not know {counted(len(surplus), 'tensor')} of the weights, e.g. {surplus[0]}"
        )


def _placed(recipe: Recipe, dtype: Any) -> dict[str, Any]:
    """Where and how the weights are held. NF4 with quantized scales, as the paper about QLoRA has it."""
    if not recipe.quantized:
        return {} if recipe.device == "cpu" else {"device_map": {"": recipe.device}}
    from transformers import BitsAndBytesConfig

    quantization = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )  # type: ignore[no-untyped-call,unused-ignore]
    return {"device_map": {"": recipe.device}, "quantization_config": quantization}
