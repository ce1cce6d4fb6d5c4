"""What a GGUF header holds, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

Scalar = int | float | bool | str
MetaValue = Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor: ``shape`` has the fastest dimension first (rows of a matrix are ``shape[0]`` long).

    ``type_id`` is ggml's number and ``type_name`` its name, ``offset`` counts bytes from the start of the tensor data.
    """

    name: str
    shape: tuple[int, ...]
    type_id: int
    type_name: str
    offset: int
    size_bytes: int

    @property
    def elements(self) -> int:
        """Number of weights."""
        product = 1
        for length in self.shape:
            product *= length
        return product


@dataclass(frozen=True, slots=True)
class SpecialToken:
    """A token that is not ordinary text.

    ``kind`` is ggml's number: 2 unknown, 3 control, 4 user-defined, 5 unused; 1 (normal) where the file does not mark
    it, and only its spelling tells.
    """

    literal: str
    kind: int


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the tokenizer part of a header says.

    ``special_tokens`` maps the id of every token that is marked as such (neither NORMAL nor BYTE) or spelled like one
    (``<|…|>``). ``add_bos`` is None when the file
    does not say (llama.cpp then adds one for SentencePiece vocabularies and none for most BPE ones). ``merges`` is
    the number of BPE merges.
    """

    model: str | None
    pre: str | None
    size: int
    special_tokens: Mapping[int, SpecialToken] = field(repr=False)
    bos_id: int | None
    eos_id: int | None
    eot_id: int | None
    add_bos: bool | None
    merges: int


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """A GGUF header. Counts and lengths are None where the file does not give them.

    ``head_counts``, ``kv_head_counts`` and ``feed_forward_lengths`` have one entry when all layers are alike, else one
    a layer; ``kv_head_counts`` are the ``head_counts`` when the file has none of its own, as in llama.cpp.
    ``key_length`` and ``value_length`` default to ``embedding_length / heads``. ``quant`` is the name of
    ``file_type`` (``Q4_K_M``). ``metadata`` has every scalar, and every array of up to 1024 values that is not the
    tokenizer's. Sizes are bytes; tensor data begins at ``data_offset``; ``weights_bytes`` is the sum over the tensors,
    of a split model (``split_count`` above 1) the size of all its files. ``tensors`` are those of this file alone.
    ``architecture`` is empty where the file has none: in a later part, and in some files that are no models.
    """

    path: Path
    version: int
    architecture: str
    name: str | None
    file_type: int | None
    quant: str | None
    context_length: int | None
    original_context_length: int | None
    block_count: int | None
    embedding_length: int | None
    feed_forward_lengths: tuple[int, ...]
    head_counts: tuple[int, ...]
    kv_head_counts: tuple[int, ...]
    key_length: int | None
    value_length: int | None
    expert_count: int
    split_count: int
    chat_template: str | None
    vocabulary: Vocabulary | None
    tensors: tuple[TensorInfo, ...] = field(repr=False)
    metadata: Mapping[str, MetaValue] = field(repr=False)
    data_offset: int
    weights_bytes: int
    file_size_bytes: int

    @property
    def part_number(self) -> int:
        """The number of this file among the ``split_count`` files of the model, from 1 on."""
        number = self.metadata.get("split.no")
        return number + 1 if isinstance(number, int) else 1

    def tensor(self, name: str) -> TensorInfo | None:
        """The tensor called ``name``, or None."""
        return next((tensor for tensor in self.tensors if tensor.name == name), None)
