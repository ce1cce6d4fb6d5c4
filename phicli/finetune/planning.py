"""What a run needs, before it starts: trainable parameters, memory, disk. Pure.

The memory for each token and layer was counted with ``torch.autograd.graph.saved_tensors_hooks`` for Phi-3 in
transformers 5.24 with PEFT 0.21: bytes for each element of the hidden size, of keys and values, of the feed-forward
size, and of the rank, for the model's types float32 and bfloat16 (the adapter is float32 in both).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from phicli.errors import DoesNotFitError
from phicli.finetune.base_folder import Shape
from phicli.finetune.batching import Load, Schedule
from phicli.finetune.options import DTYPE_BYTES, Recipe
from phicli.units import format_bytes

_MIB: Final = 1 << 20
_RUNTIME_BYTES: Final = {"float32": 440 * _MIB, "bfloat16": 485 * _MIB}
"""Python, torch (CPU build), transformers and PEFT after the first step, what is mapped from files included: the rest
in ``python -m benchmarks.finetune_memory``. Products of matrices in bfloat16 have buffers of their own."""
_GPU_BYTES: Final = 1024 * _MIB
"""The same on a GPU: what CUDA and its libraries take, and what the allocator holds in reserve. An assumption."""
_NF4: Final = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Bytes of a weight in 4 bits: a scale of a byte for 64 of them, and one of 4 bytes for 256 scales (QLoRA)."""
_HIDDEN: Final = {"float32": 44.125, "bfloat16": 38.125}
_KEY_VALUE: Final = {"float32": 6.0, "bfloat16": 3.0}
_FEED_FORWARD: Final = {"float32": 20.0, "bfloat16": 14.0}
_RANK: Final = 16.0
_MASK: Final = {"float32": 4.0, "bfloat16": 2.0}
"""Bytes for each pair of tokens, which only examples longer than a sliding window have."""
_LOGIT: Final = 12
"""Bytes for each learned token and entry of the vocabulary: the logits, their logarithms and the gradient, each in
float32. With bfloat16 logits and gradient are there in both types, but never all at once."""
_TRAINED: Final = 16
"""Bytes for each trainable parameter: itself, its gradient, and AdamW's two averages."""
_SAVED: Final = 12
"""Bytes of it in a checkpoint: without the gradient."""
_SHARE: Final = 0.9
"""Of the memory that is available, what a run may take."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a run needs, in bytes; ``tokens`` are those of its largest micro-batch, with padding."""

    trainable: int
    runtime: int
    weights: int
    adapter: int
    activations: int
    disk: int
    tokens: int

    @property
    def memory(self) -> int:
        """All of the memory."""
        return self.runtime + self.weights + self.adapter + self.activations

    def to_data(self) -> dict[str, Any]:
        """As JSON shows it."""
        return {
            "trainable_parameters": self.trainable, "memory_bytes": self.memory, "runtime_bytes": self.runtime,
            "weights_bytes": self.weights, "adapter_bytes": self.adapter, "activations_bytes": self.activations,
            "disk_bytes": self.disk, "largest_batch_tokens": self.tokens,
        }  # fmt: skip


class Answers(Protocol):
    """Examples."""

    @property
    def lengths(self) -> Sequence[int]:
        """Of each, in tokens."""

    @property
    def learned(self) -> Sequence[int]:
        """How many tokens of each are the answer."""


def trainable_parameters(shape: Shape, rank: int) -> int:
    """Parameters of an adapter of all linear layers."""
    return shape.layers * sum(rank * (inputs + outputs) for inputs, outputs in shape.linear_layers)


def needs_of(shape: Shape, recipe: Recipe, load: Load, checked: Load | None = None) -> Needs:
    """What a run needs whose largest micro-batch is ``load``; ``checked`` is that of the validation data."""
    kind = recipe.dtype
    trainable = trainable_parameters(shape, recipe.rank)
    weights, unpacked = weight_bytes(shape, recipe)
    layer = _layer_bytes(shape, recipe, load)
    kept = load.tokens * shape.hidden * DTYPE_BYTES[kind]
    layers = layer + shape.layers * kept if recipe.checkpointing else shape.layers * layer
    largest = 4 * 2 * shape.feed_forward * load.tokens  # the gradient of the widest matrix on the way back
    learning = layers + largest + _LOGIT * load.learned * shape.vocabulary
    checking = (
        0.0 if checked is None else _layer_bytes(shape, recipe, checked) + _LOGIT * checked.learned * shape.vocabulary
    )
    return Needs(
        trainable=trainable,
        runtime=_GPU_BYTES if recipe.device == "cuda" else _RUNTIME_BYTES[kind],
        weights=weights + unpacked,
        adapter=_TRAINED * trainable,
        activations=int(max(learning, checking)),
        disk=trainable * (3 * _SAVED + 3 * 4),
        tokens=load.tokens,
    )


def _layer_bytes(shape: Shape, recipe: Recipe, load: Load) -> float:
    """What one layer holds for the way back; without one, as in a validation, it is the most that is there at once."""
    kind = recipe.dtype
    masked = load.width if shape.window is not None and load.width > shape.window else 0
    return load.tokens * (
        _HIDDEN[kind] * shape.hidden + _KEY_VALUE[kind] * 2 * shape.kv_heads * shape.head_size
        + _FEED_FORWARD[kind] * shape.feed_forward + _RANK * recipe.rank + _MASK[kind] * masked
    )  # fmt: skip


def weight_bytes(shape: Shape, recipe: Recipe) -> tuple[int, int]:
    """Bytes of the weights, and of the largest matrix that is unpacked for computing where they are quantized."""
    size = DTYPE_BYTES[recipe.dtype]
    if not recipe.quantized:
        return shape.parameters * size, 0
    matrices = [inputs * outputs for inputs, outputs in shape.linear_layers]
    packed = shape.layers * sum(matrices)
    return int(packed * _NF4) + (shape.parameters - packed) * size, max(matrices) * size


def fitted(
    shape: Shape,
    recipe: Recipe,
    schedule: Schedule,
    learned: Sequence[int],
    available_bytes: int,
    validation: Answers | None = None,
) -> tuple[Recipe, Needs]:
    """The recipe with the largest micro-batch that fits into memory; checkpointing if nothing fits without.

    Args:
        shape: of the model.
        recipe: its micro-batch is the largest one that may be used.
        schedule: of the training data.
        learned: the learned tokens of each example there.
        available_bytes: of memory.
        validation: the validation data, if there are any.

    Raises:
        DoesNotFitError: nothing does.
    """
    smallest = None
    for candidate in _candidates(recipe):
        load = replace(schedule, recipe=candidate).largest(learned)
        needs = needs_of(shape, candidate, load, _checked(replace(schedule, recipe=candidate), validation))
        if needs.memory <= available_bytes * _SHARE:
            return candidate, needs
        smallest = needs if smallest is None or needs.memory < smallest.memory else smallest
    assert smallest is not None  # noqa: S101 (there is always a candidate)
    parts = (
        f"{format_bytes(smallest.weights)} for the weights, {format_bytes(smallest.adapter)} for the adapter, "
        f"{format_bytes(smallest.activations)} for the longest example ({smallest.tokens:,} tokens)"
    )
    raise DoesNotFitError(
        f"the training needs {format_bytes(smallest.memory)} of memory{_place(recipe)}, but only "
        f"{format_bytes(available_bytes)} are available: {parts}",
        _hint(recipe, smallest),
        data=smallest.to_data() | {"available_bytes": available_bytes},
    )


def _checked(schedule: Schedule, validation: Answers | None) -> Load | None:
    if validation is None or not validation.lengths:
        return None
    schedule = replace(schedule, lengths=validation.lengths)
    widest, longest = schedule.heaviest_of_all(validation.learned)
    return Load(schedule.size(widest), sum(validation.learned[one] for one in longest), max(validation.lengths))


def _place(recipe: Recipe) -> str:
    return " on the GPU" if recipe.device == "cuda" else ""


def _candidates(recipe: Recipe) -> Iterator[Recipe]:
    size = recipe.micro_batch
    sizes = []
    while size >= 1:
        sizes.append(size)
        size //= 2
    if not recipe.checkpointing:
        yield from (replace(recipe, micro_batch=one) for one in sizes)
    yield from (replace(recipe, micro_batch=one, checkpointing=True) for one in sizes)


def _hint(recipe: Recipe, needs: Needs) -> str:
    if recipe.device == "cuda" and not recipe.quantized:
        return "hold the weights in 4 bits: --qlora; or use a smaller model, or --device cpu"
    if recipe.dtype == "float32":
        return "hold the weights in half of it: --dtype bfloat16; or use a smaller model"
    if needs.activations > needs.weights:
        return "leave out the longest examples, or use a smaller model"
    return "use a smaller model, or a machine with more memory"
