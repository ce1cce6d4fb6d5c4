"""How much memory a model takes, and whether that is there.

Formulas for llama.cpp on a processor, fitted to the buffers it reports (``benchmarks/accuracy.py buffers``); ``ub`` is
the batch, ``E`` the embedding, ``FF`` the feed-forward length times the experts a token passes, ``H`` the heads, ``KV``
the keys and values of a layer (kv heads x (key length + value length)), ``V`` the vocabulary:

- key-value cache: layers x context x KV x bytes per value; the context is rounded up to 256
- compute buffer with flash attention: ``4 ub (g FF + 5 E) + 2 ub context``, where ``g`` is 3, and 1 for ``phi2``, whose
  feed-forward block has no gate; an adapter (LoRA) adds 1 to it
- without, the larger of two places: in the attention ``4 ub (context (H + 1) + 5 E + KV)``, for ``phimoe``, whose query
  is a matrix of its own, with 6 E; in the feed-forward block ``4 ub (g FF + 5 E + context + KV)``
- a quantized cache of heads of 64 or 128 values takes one more ``4 ub E`` in ``phi2``, whose attention and feed-forward
  block stand side by side
- overhead: output buffer and tokenizer, about ``428 V``; anonymous memory of the engine's process, about 11 MiB, and
  of ``phi`` itself, about 26 MiB; the libraries that both map, about 34 MiB (``benchmarks/accuracy.py resident``)
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Final

from phicli.catalog.load import catalog
from phicli.catalog.quants import preference
from phicli.engine.settings import EngineSettings
from phicli.errors import THIS_COMMAND, DoesNotFitError
from phicli.fit.memory_sum import LIBRARY_BYTES, MemorySum
from phicli.fit.shape import ModelShape
from phicli.fit.too_large import OnTooLarge, refuse
from phicli.hardware.available import Memory
from phicli.units import format_bytes

MIB: Final = 1 << 20
KV_TYPE_BYTES: Final[Mapping[str, float]] = MappingProxyType({"f16": 2.0, "q8_0": 1.0625, "q4_0": 0.5625})
"""Bytes per value of the key-value cache, by llama.cpp's name of the type."""

USUAL: Final = EngineSettings(threads=1)
"""The default settings, for sums of memory: the number of threads makes no difference to them."""

CONTEXT_STEP: Final = 256
"""The engine rounds a context up to whole multiples of it, in tokens."""

_ENGINE_BYTES: Final = 11 * MIB
_PHI_BYTES: Final = 26 * MIB
_BYTES_PER_TOKEN: Final = 428
_KEEP_FREE_BYTES: Final = 512 * MIB
_KEEP_FREE_SHARE: Final = 0.05
_KV_BLOCK: Final = 32
_ROTATED: Final = 64
"""Measured with a quantized cache: heads of 64 and 128 values take more space to compute with, heads of 96 do not."""
_SHORTEST_USEFUL_CONTEXT: Final = 512
_SMALLER: Final = ("phi-4", "phi-4-mini")
_TOY: Final = "tiny-phi"
_TOY_BYTES: Final = 80 * MIB
"""What the toy needs for an answer, rounded up."""


def takes_kv_type(shape: ModelShape, kv_type: str) -> bool:
    """Whether the engine can keep the cache of ``shape`` in ``kv_type``.

    Quantized types need whole blocks of 32 values in each head: Phi-2, with heads of 80, has none.
    """
    if kv_type not in KV_TYPE_BYTES:
        return False
    return kv_type == "f16" or (shape.key_length % _KV_BLOCK == 0 and shape.value_length % _KV_BLOCK == 0)


def smaller_kv_types(shape: ModelShape, kv_type: str) -> tuple[str, ...]:
    """The types that take less memory than ``kv_type`` and that the engine has for ``shape``, the most exact first."""
    smaller = (name for name, size in KV_TYPE_BYTES.items() if size < KV_TYPE_BYTES[kv_type])
    return tuple(name for name in smaller if takes_kv_type(shape, name))


def plan_memory(
    shape: ModelShape, settings: EngineSettings = USUAL, *, context_tokens: int, gpu_layers: int = 0
) -> MemorySum:
    """What a model of ``shape`` takes with ``settings`` and a context of ``context_tokens``.

    Args:
        shape: dimensions and size of the weights.
        settings: how the engine is set; ``auto`` flash attention is on, as the engine has it on a processor.
        context_tokens: tokens of one sequence.
        gpu_layers: layers that a GPU really takes, whatever ``settings`` ask for: the output counts as one layer and
            goes first, then the last layers.
    """
    context = padded_context(max(context_tokens, 1))
    values = shape.kv_heads_total * (shape.key_length + shape.value_length)
    batch = min(settings.batch_tokens, context)
    compute = _compute_bytes(shape, context, batch, flash_attention=settings.flash_attention != "off")
    if settings.kv_type != "f16" and shape.architecture == "phi2" and shape.key_length % _ROTATED == 0:
        compute += 4 * batch * shape.embedding
    kv_bytes = int(context * values * KV_TYPE_BYTES[settings.kv_type])
    on_gpu, output_on_gpu = min(max(gpu_layers - 1, 0), shape.layers), gpu_layers > 0
    in_layers = shape.weights_bytes - shape.embedding_bytes - shape.output_bytes
    share = on_gpu / max(shape.layers, 1)
    output_bytes = shape.output_bytes or shape.embedding_bytes
    tied = not shape.output_bytes
    copied = shape.embedding_bytes if output_on_gpu and tied and shape.output_copied else 0
    repackable = int(shape.repackable_bytes * (1 - share)) if settings.repack else 0
    gpu_compute = compute if gpu_layers > 0 else 0
    return MemorySum(
        weights_bytes=shape.weights_bytes + copied,
        kv_bytes=kv_bytes,
        compute_bytes=compute + gpu_compute,
        repack_bytes=repackable,
        overhead_bytes=_ENGINE_BYTES + _PHI_BYTES + LIBRARY_BYTES + _BYTES_PER_TOKEN * shape.vocabulary,
        gpu_weights_bytes=int(in_layers * share) + (output_bytes if output_on_gpu else 0),
        gpu_kv_bytes=int(kv_bytes * share),
        gpu_compute_bytes=gpu_compute,
        adapter_bytes=shape.adapter_bytes,
        gpu_adapter_bytes=int(shape.adapter_bytes * share),
    )


def padded_context(tokens: int) -> int:
    """``tokens`` rounded up to a multiple of :data:`CONTEXT_STEP`, as the engine allocates them."""
    return -(-tokens // CONTEXT_STEP) * CONTEXT_STEP


def _compute_bytes(shape: ModelShape, context: int, batch: int, *, flash_attention: bool) -> int:
    """The buffer for what is between weights and cache, in bytes."""
    gates = (1 if shape.architecture == "phi2" else 3) + (1 if shape.adapter_bytes else 0)
    feed_forward = gates * shape.feed_forward * max(shape.experts_used, 1) + 5 * shape.embedding
    if flash_attention:
        return 4 * batch * feed_forward + 2 * batch * context
    kv_row = shape.kv_heads_total // max(shape.layers, 1) * (shape.key_length + shape.value_length)
    embeddings = 6 if shape.architecture == "phimoe" else 5
    attention = context * (shape.heads + 1) + embeddings * shape.embedding + kv_row
    return 4 * batch * max(attention, feed_forward + context + kv_row)


def usable_bytes(memory: Memory) -> int:
    """Bytes that may be planned with: what is available less max(512 MiB, 5 % of the total), kept for the rest.

    In a very small container no more than half of what is available is kept.
    """
    keep = max(_KEEP_FREE_BYTES, int(memory.total_bytes * _KEEP_FREE_SHARE))
    return memory.available_bytes - min(keep, memory.available_bytes // 2)


def largest_context_that_fits(
    shape: ModelShape, memory: Memory, settings: EngineSettings = USUAL, *, at_most: int
) -> int:
    """The longest context in tokens, ``at_most`` or a multiple of 256 below it, that fits; 0 when none does."""
    usable = usable_bytes(memory)

    def fits(context_tokens: int) -> bool:
        return plan_memory(shape, settings, context_tokens=context_tokens).resident_bytes <= usable

    return longest_context(fits, at_most=at_most)


def longest_context(fits: Callable[[int], bool], *, at_most: int) -> int:
    """The longest context in tokens, ``at_most`` or a multiple of 256 below it, of those that ``fits`` takes; else 0.

    Where one does not fit, no longer one may.
    """
    if at_most > 0 and fits(at_most):
        return at_most
    low, high = 0, max(at_most, 0) // CONTEXT_STEP + 1  # low fits (or is nothing), high does not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle * CONTEXT_STEP) else (low, middle)
    return low * CONTEXT_STEP


def check_fits(
    needed: MemorySum, memory: Memory | None, *, model: str, context_tokens: int, fitting_context: int = 0,
    fitting_kv_type: str | None = None, gpu_usable_bytes: int = 0, on_too_large: OnTooLarge = refuse,
) -> None:  # fmt: skip
    """Return if ``needed`` fits into ``memory``, or if the machine does not report its memory (None).

    Args:
        needed: the sums of the model.
        memory: what the machine has.
        model: the model as the person typed it, for the message and the command in the hint.
        context_tokens: the context that was planned.
        fitting_context: :func:`largest_context_that_fits`; proposed when it is of use.
        fitting_kv_type: a smaller type of cache with which the whole context fits, if one does.
        gpu_usable_bytes: of the GPUs, for the message.
        on_too_large: is given the error where it does not fit.

    Raises:
        DoesNotFitError: it does not; ``data`` has the sums.
    """
    if memory is None:
        return
    usable = usable_bytes(memory)
    if needed.resident_bytes <= usable:
        return
    message = (
        f"{model} does not fit into memory: it needs {format_bytes(needed.resident_bytes)} "
        f"({_parts(needed, context_tokens)}), but only {format_bytes(usable)} can be used "
        f"({format_bytes(memory.available_bytes)} available according to {memory.source}, "
        f"minus {format_bytes(memory.available_bytes - usable)} reserved for the system)"
    )
    if gpu_usable_bytes:
        message += f"; of the GPU's memory {format_bytes(gpu_usable_bytes)} can be used"
    data = asdict(needed) | {
        "total_bytes": needed.total_bytes,
        "available_bytes": memory.available_bytes,
        "usable_bytes": usable,
        "context_tokens": context_tokens,
        "fitting_context_tokens": fitting_context,
        "fitting_kv_type": fitting_kv_type,
    }
    hint = _hint(model, memory, context_tokens, fitting_context, fitting_kv_type)
    on_too_large(DoesNotFitError(message, hint, data=data))


def refuse_layers(
    needed: MemorySum, usable: int, asked: int, most: int, *, model: str, on_too_large: OnTooLarge = refuse
) -> None:
    """Tell ``on_too_large`` that ``asked`` layers are more than the ``usable`` bytes of the GPU hold; ``most`` fit.

    Raises:
        DoesNotFitError: with the sums.
    """
    message = (
        f"{model} does not fit into the GPU's memory with --gpu-layers {asked}: it needs "
        f"{format_bytes(needed.gpu_bytes)} there, but only {format_bytes(usable)} can be used"
    )
    command = f"{THIS_COMMAND} {shlex.quote(model)} --gpu-layers {most}"
    data = asdict(needed) | {"gpu_bytes": needed.gpu_bytes, "gpu_usable_bytes": usable, "fitting_gpu_layers": most}
    on_too_large(DoesNotFitError(message, f"use fewer layers: {command}", data=data))


def _parts(needed: MemorySum, context_tokens: int) -> str:
    parts = [
        f"weights {format_bytes(needed.weights_bytes)}",
        f"{context_tokens:,} tokens of KV cache {format_bytes(needed.kv_bytes)}",
        f"working memory {format_bytes(needed.compute_bytes + needed.overhead_bytes)}",
    ]
    if needed.repack_bytes:
        parts.append(f"repacked weights {format_bytes(needed.repack_bytes)}")
    if needed.adapter_bytes:
        parts.append(f"adapters {format_bytes(needed.adapter_bytes)}")
    return ", ".join(parts)


def _hint(model: str, memory: Memory, context_tokens: int, fitting_context: int, fitting_kv_type: str | None) -> str:
    if fitting_kv_type is not None:
        command = f"{THIS_COMMAND} {shlex.quote(model)} --context {context_tokens} --kv-type {fitting_kv_type}"
        return f"it fits with the KV cache type {fitting_kv_type}: {command}"
    if _SHORTEST_USEFUL_CONTEXT <= fitting_context < context_tokens:
        command = f"{THIS_COMMAND} {shlex.quote(model)} --context {fitting_context}"
        return f"a context of {fitting_context:,} tokens fits: {command}"
    more = "raise the memory limit of the container" if memory.limited else "close other programs"
    smaller = _smaller_model(usable_bytes(memory), model)
    if smaller is None:
        return f"{more}, or load it anyway: {THIS_COMMAND} {shlex.quote(model)} --no-memory-check"
    return f"{more}, or use a smaller model: {THIS_COMMAND} {smaller}"


def _smaller_model(usable: int, but_not: str) -> str | None:
    """The best of the models with small caches whose usual file fits with a context of 4096; else the toy.

    None where that does not fit either, or is the model that does not.
    """
    for name in _SMALLER:
        variant = catalog().variant(name)
        assert variant is not None  # noqa: S101 (these ship)
        usual = min(variant.sources[0].files, key=lambda file: preference(file.quant))
        weights_bytes = usual.size_bytes or usual.size_approx_bytes
        if name not in but_not.lower() and weights_bytes and weights_bytes * 1.35 <= usable:
            return name
    return _TOY if _TOY not in but_not.lower() and usable >= _TOY_BYTES else None
