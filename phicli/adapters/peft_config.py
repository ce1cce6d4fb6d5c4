"""The settings of an adapter of PEFT, ``adapter_config.json``: what is read of them, and what is refused in words."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from phicli.errors import IntegrityError, NotAnAdapterError
from phicli.gguf_file.diagnose import GET_AGAIN, unreadable
from phicli.hub.peft_files import CONFIG
from phicli.paths import read_small

AGAIN: Final = (
    "merge it with PEFT (model.merge_and_unload()) and convert that model to GGUF; or train it with plain LoRA: "
    "LoraConfig(target_modules='all-linear'); see docs/adapters.md"
)
_TWO: Final = 2
_FIRST_WEIGHTS: Final = ("true", "false", "gaussian", "eva", "orthogonal", "none")
"""Values of ``init_lora_weights`` that leave the model alone; PEFT writes ``true`` where it has made that so."""
_OTHER_KINDS: Final[Mapping[str, str]] = {
    "lora_bias": "it trained biases (lora_bias), which the engine does not have",
    "trainable_token_indices": "it trained single tokens (trainable_token_indices)",
    "layer_replication": "it repeats layers of the model (layer_replication)",
    "fan_in_fan_out": "it is for matrices that lie the other way (fan_in_fan_out)",
    "alora_invocation_tokens": "it acts only after certain tokens (alora_invocation_tokens)",
    "arrow_config": "it chooses among other adapters for each token (arrow_config), which the engine does not have",
    "kasa_config": "it uses KaSA (kasa_config), which the engine does not have",
    "monteclora_config": "it uses MonteCLoRA (monteclora_config), which the engine does not have",
}
"""Settings that change what is computed, where they are set."""
_KNOWN: Final = frozenset({
    *_OTHER_KINDS, "alpha_pattern", "auto_mapping", "base_model_name_or_path", "bias", "corda_config",
    "enable_lora", "ensure_weight_tying", "eva_config", "exclude_modules", "inference_mode", "init_lora_weights",
    "layers_pattern", "layers_to_transform", "loftq_config", "lora_alpha", "lora_dropout", "lora_ga_config",
    "megatron_config", "megatron_core", "merge_weights", "modules_to_save", "peft_type", "peft_version",
    "qalora_group_size", "r", "rank_pattern", "revision", "runtime_config", "target_modules", "target_parameters",
    "task_type", "use_rslora", "velora_config",
})  # fmt: skip
"""The settings of PEFT 0.21 and of its first releases that are refused above, or do not change what is computed."""


def read_config(path: Path) -> dict[str, Any]:
    """The settings in the file ``path``.

    Raises:
        IntegrityError: it is not a JSON object.
    """
    try:
        config = json.loads(read_small(path))
    except OSError as error:
        raise unreadable(path, error) from None
    except (ValueError, RecursionError):
        raise IntegrityError(f"{path} is not JSON", GET_AGAIN) from None
    if not isinstance(config, dict):
        raise IntegrityError(f"{path} is not a JSON object", GET_AGAIN)
    return config


def refuse_kinds(folder: Path, config: Mapping[str, Any]) -> None:
    """Return if the adapter in ``folder`` is one that the engine can compute.

    Raises:
        NotAnAdapterError: it is not; the message says why.
    """
    start = str(config.get("init_lora_weights", True)).lower()
    if reason := next(_reasons(config), ""):
        raise refused(folder, reason)
    if start not in _FIRST_WEIGHTS:
        raise NotAnAdapterError(
            f"the adapter in {folder} cannot be used: its first weights (init_lora_weights {start[:20]}) changed the "
            "model, and phi does not have the changed model",
            "convert it to plain LoRA with PEFT, as its documents on this setting describe: "
            "model.save_pretrained(FOLDER, path_initial_model_for_weight_conversion=FIRST_ADAPTER)",
        )
    for name, value in config.items():
        if value and name not in _KNOWN:
            raise NotAnAdapterError(
                f"the adapter in {folder} cannot be used: phi does not know its setting {name[:40]!r}",
                f"if it does not change what is computed, delete it in {CONFIG} and add the adapter again",
            )


def refused(folder: Path, reason: str) -> NotAnAdapterError:
    """The error for an adapter that is of a kind the engine does not have."""
    return NotAnAdapterError(f"the adapter in {folder} cannot be used: {reason}", AGAIN)


def number_in(folder: Path, values: Mapping[str, Any], key: str, *, default: float) -> float:
    """The number ``key`` of the settings.

    Raises:
        IntegrityError: it is something else.
    """
    value = values.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise IntegrityError(f"{folder / CONFIG}: {key} is {str(value)[:40]!r}, which should be a number", GET_AGAIN)
    return float(value)


def base_name_of(config: Mapping[str, Any]) -> str | None:
    """The model that the adapter was made for: ``owner/repo``, or the last part of a path; None where it is unknown."""
    named = config.get("base_model_name_or_path")
    if not isinstance(named, str) or not named.strip() or not named.isprintable():
        return None
    parts = [part for part in re.split(r"[/\\]", named) if part]
    is_repository = len(parts) == _TWO and "\\" not in named and not named.startswith((".", "~", "/"))
    return "/".join(parts) if is_repository else parts[-1] if parts else None


def _reasons(config: Mapping[str, Any]) -> Iterator[str]:
    """Why the adapter cannot be used, the most important reason first."""
    kind = str(config.get("peft_type"))
    if kind != "LORA":
        yield f"it is an adapter of the type {kind[:40]}, not LORA"
    if config.get("bias", "none") not in ("none", None):
        yield "it trained biases (bias), which the engine does not have"
    if config.get("modules_to_save"):
        yield f"it replaces whole modules (modules_to_save): {_listed(config['modules_to_save'])}"
    if others := [name for name in config if name.startswith("use_") and name != "use_rslora" and config[name]]:
        yield f"it uses {_listed(others)}, which the engine does not have"
    yield from (reason for name, reason in _OTHER_KINDS.items() if config.get(name))


def _listed(value: Any) -> str:
    names = [str(one)[:40] for one in value] if isinstance(value, list) else [str(value)[:40]]
    return ", ".join(names[:4])
