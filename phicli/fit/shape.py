"""The numbers of a model that decide how much memory it takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from phicli.fit.repacking import AVX2_TYPES, Repacked
from phicli.gguf_file.types import GgufHeader

if TYPE_CHECKING:
    from phicli.hardware.types import Gpu


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Dimensions of a model; zero where it has none.

    ``kv_heads_total`` is the sum of the key-value heads over all layers. ``repackable_bytes`` is the size of the copy
    of a part of the weights that llama.cpp makes, in another layout, when repacking is on.
    ``trained_context_tokens`` is the longest context the model knows. ``embedding_bytes`` and ``output_bytes`` are the
    parts of the weights that belong to no layer; the latter is 0 where the embedding is the output matrix as well.
    ``expert_bytes`` is the part that belongs to the ``experts`` of a mixture, of which a token passes
    ``experts_used``. ``output_copied`` when a GPU gets a copy of its own of an embedding that is the output matrix as
    well (:func:`loaded_by`). ``adapter_bytes`` is the size of the adapters that are loaded beside it.
    """

    weights_bytes: int
    repackable_bytes: int
    layers: int
    embedding: int
    feed_forward: int
    heads: int
    kv_heads_total: int
    key_length: int
    value_length: int
    vocabulary: int
    trained_context_tokens: int
    architecture: str = "phi3"
    embedding_bytes: int = 0
    output_bytes: int = 0
    expert_bytes: int = 0
    experts: int = 0
    experts_used: int = 0
    output_copied: bool = True
    adapter_bytes: int = 0


def loaded_by(shape: ModelShape, gpus: Iterable[Gpu]) -> ModelShape:
    """``shape`` as ``gpus`` load it: with Metal they use the pages of the mapped file, and nothing of it is copied.

    Source: ``buffer_from_host_ptr`` in llama.cpp's ``ggml-metal``. Other graphics are counted with a copy.
    """
    if any(gpu.usable and gpu.api == "Metal" for gpu in gpus):
        return replace(shape, output_copied=False)
    return shape


def shape_of(header: GgufHeader, *, repacked: Repacked = AVX2_TYPES) -> ModelShape:
    """The shape of the model in a file, from its header; what the header does not say counts as zero.

    The token embedding is not repacked: rows are taken out of it, it is not multiplied with.

    Args:
        header: the file's.
        repacked: what the processor's engine repacks (:mod:`phicli.fit.repacking`).
    """
    layers = header.block_count or 0
    kv_heads = header.kv_head_counts
    repackable = (
        int(tensor.size_bytes * repacked[tensor.type_name])
        for tensor in header.tensors
        if tensor.type_name in repacked and tensor.name != "token_embd.weight"
    )
    used = header.metadata.get(f"{header.architecture}.expert_used_count", 0)
    return ModelShape(
        weights_bytes=header.weights_bytes,
        repackable_bytes=sum(repackable),
        layers=layers,
        embedding=header.embedding_length or 0,
        feed_forward=max(header.feed_forward_lengths, default=0),
        heads=max(header.head_counts, default=0),
        kv_heads_total=kv_heads[0] * layers if len(kv_heads) == 1 else sum(kv_heads),
        key_length=header.key_length or 0,
        value_length=header.value_length or 0,
        vocabulary=header.vocabulary.size if header.vocabulary else 0,
        trained_context_tokens=header.context_length or 0,
        architecture=header.architecture,
        embedding_bytes=sum(tensor.size_bytes for tensor in header.tensors if tensor.name == "token_embd.weight"),
        output_bytes=sum(tensor.size_bytes for tensor in header.tensors if tensor.name == "output.weight"),
        expert_bytes=sum(tensor.size_bytes for tensor in header.tensors if "_exps." in tensor.name),
        experts=header.expert_count,
        experts_used=used if isinstance(used, int) else 0,
    )
