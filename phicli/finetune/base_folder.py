"""The model that is fine-tuned: a folder as transformers saves it, or as it is downloaded from the hub."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from phicli.catalog.resolve import is_repository, resolve
from phicli.errors import NotAModelError, NotFoundError, UnsupportedModelError, UsageError, reason_of
from phicli.finetune.tokens import special_tokens_in
from phicli.finetune.weights import check_weights
from phicli.paths import expand, is_there, read_small

_CONFIG_BYTES: Final = 1 << 24
_TOKENIZER_BYTES: Final = 1 << 27
_LARGEST_SIZE: Final = 1 << 31
_TINY_PHI: Final = (
    "in a checkout of phi with the extras finetune and training: python -m training.tiny_phi.hf_folder tiny-phi; "
    "then: phi finetune ./tiny-phi TRAIN.jsonl"
)
_NAME: Final = "name a folder with config.json, tokenizer.json and *.safetensors"


@dataclass(frozen=True, slots=True)
class Shape:
    """What the sums need of a model: counts and sizes in elements.

    ``original_context`` is where LongRoPE changes its factors, None without LongRoPE; ``window`` is how many tokens
    attention sees, None for all of them.
    """

    vocabulary: int
    hidden: int
    feed_forward: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    context: int
    original_context: int | None
    tied: bool
    window: int | None = None

    @property
    def linear_layers(self) -> tuple[tuple[int, int], ...]:
        """Inputs and outputs of the matrices of one layer that get an adapter."""
        query, key = self.heads * self.head_size, self.kv_heads * self.head_size
        return (
            (self.hidden, query + 2 * key), (query, self.hidden),
            (self.hidden, 2 * self.feed_forward), (self.feed_forward, self.hidden),
        )  # fmt: skip

    @property
    def parameters(self) -> int:
        """Of the whole model."""
        matrices = sum(inputs * outputs for inputs, outputs in self.linear_layers) + 2 * self.hidden
        return self.layers * matrices + self.hidden * (1 + self.vocabulary * (1 if self.tied else 2))


@dataclass(frozen=True, slots=True)
class BaseFolder:
    """A model to be fine-tuned; ``tokenizer`` is the content of its tokenizer.json."""

    path: Path
    name: str
    shape: Shape
    format: str
    reasoning: bool
    tokenizer: Mapping[str, Any]


def require_folder(typed: str) -> Path:
    """The folder that was ``typed``; this reads nothing in it.

    Raises:
        NotFoundError: it is a name, whose weights have to be downloaded first, or there is nothing.
        UsageError: it is a file.
    """
    path = expand(typed)
    if not is_there(typed):
        raise _not_here(typed)
    if not path.is_dir():
        raise UsageError(
            f"{typed} is a file: fine-tuning needs the original weights, which a GGUF file does not have", _NAME
        )
    return path.resolve()


def open_base(typed: str) -> BaseFolder:
    """The model that was ``typed``.

    Raises:
        NotFoundError: it is a name, whose weights have to be downloaded first, or there is nothing.
        NotAModelError: the folder holds no model of transformers.
        IntegrityError: a file with weights is damaged or truncated.
        UnsupportedModelError: it is a model of another architecture.
        UsageError: it is a GGUF file, or cannot be read.
    """
    path = require_folder(typed)
    config, tokenizer = _json(path, "config.json", _CONFIG_BYTES), _json(path, "tokenizer.json", _TOKENIZER_BYTES)
    if config.get("model_type") != "phi3":
        raise UnsupportedModelError(
            f"{typed} is a model of the type {config.get('model_type')!r}: fine-tuning supports phi3 only",
            "which is Phi-3, Phi-3.5-mini, Phi-4 and Phi-4-mini",
        )
    check_weights(path)
    name = Path(str(config.get("_name_or_path") or "")).name or path.name
    return BaseFolder(
        path, name, _shape(config, typed), _format(tokenizer, path), "reasoning" in name.lower(), tokenizer
    )


def _not_here(typed: str) -> NotFoundError:
    if is_repository(typed):
        repo: str | None = typed.partition(":")[0]
    elif re.search(r"[\\/]", typed):
        return NotFoundError(f"the folder {typed} does not exist", _NAME)
    else:
        variant = resolve(typed).variant
        repo = variant.repo
        if variant.id == "tiny-phi":
            return NotFoundError(f"the original weights of {typed} cannot be downloaded", _TINY_PHI)
    if repo is None:
        return NotFoundError(f"the original weights of {typed} cannot be downloaded", _NAME)
    folder = repo.rpartition("/")[2]
    return NotFoundError(
        f"fine-tuning needs a folder with the original weights of {typed}, not the GGUF file that phi chat uses",
        f"download them: hf download {repo} --local-dir {folder}; then: phi finetune ./{folder} TRAIN.jsonl; "
        "without hf: pipx install huggingface_hub",
    )


def _json(folder: Path, name: str, most: int) -> Mapping[str, Any]:
    try:
        found = json.loads(read_small(folder / name, most))
    except FileNotFoundError:
        raise NotAModelError(f"{folder} is not a model of transformers: it has no {name}", _NAME) from None
    except OSError as error:
        raise UsageError(f"{folder / name} cannot be read: {reason_of(error)}", _NAME) from None
    except (ValueError, RecursionError):
        raise NotAModelError(f"{folder / name} is not JSON: it is damaged", "download the folder again") from None
    if not isinstance(found, dict):
        raise NotAModelError(f"{folder / name} is not a JSON object", "download the folder again")
    return found


def _shape(config: Mapping[str, Any], typed: str) -> Shape:
    found = config.get("rope_parameters") or config.get("rope_scaling")
    rope = found if isinstance(found, dict) else {}
    long = "long_factor" in rope
    try:
        heads, hidden = _size(config["num_attention_heads"]), _size(config["hidden_size"])
        context = _size(config.get("max_position_embeddings") or 4096)
        original = rope.get("original_max_position_embeddings") or config.get("original_max_position_embeddings")
        window = config.get("sliding_window")
        return Shape(
            _size(config["vocab_size"]), hidden, _size(config["intermediate_size"]), _size(config["num_hidden_layers"]),
            heads, _size(config.get("num_key_value_heads") or heads), _size(config.get("head_dim") or hidden // heads),
            context, _size(original or context) if long else None, bool(config.get("tie_word_embeddings", False)),
            _size(window) if window else None,
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise NotAModelError(f"config.json in {typed} lacks a size: {error}", "download the folder again") from None


def _size(value: Any) -> int:
    """A size as config.json has it.

    Raises:
        TypeError, ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{str(value)[:40]!r} is not a whole number")
    if not 0 < value <= _LARGEST_SIZE:
        raise ValueError(f"{str(value)[:40]} is not a size")
    return value


def _format(tokenizer: Mapping[str, Any], folder: Path) -> str:
    """The prompt format whose special tokens the vocabulary has, by the rule for GGUF files."""
    literals = set(special_tokens_in(tokenizer).literals.values())
    if "<|im_sep|>" in literals:
        return "phi-4"
    if not {"<|end|>", "<|user|>", "<|assistant|>"} <= literals:
        raise UnsupportedModelError(f"the tokenizer in {folder} has none of Phi's prompt formats", "name a Phi model")
    model = tokenizer.get("model")
    if not isinstance(model, dict) or not model.get("byte_fallback"):
        return "phi-4-mini"
    template = _template(folder)
    return "phi-3-folded" if template and "system" not in template else "phi-3"


def _template(folder: Path) -> str:
    """The chat template of a folder, empty where it has none."""
    if (folder / "chat_template.jinja").is_file():
        return read_small(folder / "chat_template.jinja").decode(errors="replace")
    if (folder / "tokenizer_config.json").is_file():
        return str(_json(folder, "tokenizer_config.json", _CONFIG_BYTES).get("chat_template") or "")
    return ""
