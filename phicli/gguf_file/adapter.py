"""What a GGUF file with an adapter (LoRA) holds, and whether it fits a model.

For a matrix ``W`` of the model, an adapter has a pair of small ones, ``X.lora_a`` and ``X.lora_b``, where ``X`` is the
name of the matrix in the file of the model. With it the engine computes with ``W + scale x alpha / rank x B A``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phicli.errors import TYPED_COMMAND, IntegrityError, NotAnAdapterError, WrongBaseError
from phicli.gguf_file.diagnose import GET_AGAIN
from phicli.gguf_file.facts import Facts
from phicli.gguf_file.header import kind_of_header, read_any_header
from phicli.gguf_file.kind import FileKind
from phicli.gguf_file.names import parts_of
from phicli.gguf_file.types import GgufHeader, TensorInfo

ADAPTER: Final = "adapter"
LORA: Final = "lora"
ALPHA: Final = "adapter.lora.alpha"
BASE_NAME: Final = "general.base_model.0.name"
_TENSOR: Final = re.compile(r"(.+)\.lora_([ab])")
EMBEDDING: Final = "token_embd.weight"
OUTPUT: Final = "output.weight"
_MATRIX: Final = 2


@dataclass(frozen=True, slots=True)
class LoraPair:
    """The two matrices for the tensor ``tensor`` of a model; ``shape`` is the shape that this one must have."""

    tensor: str
    shape: tuple[int, ...]
    rank: int
    a: TensorInfo
    b: TensorInfo


@dataclass(frozen=True, slots=True)
class AdapterHeader:
    """The header of an adapter.

    Attributes:
        path: of the file.
        architecture: of the models that it is for.
        name: its own name; None where the file has none.
        base_name: the name of the model that it was made for; None where the file has none.
        alpha: what is divided by the rank; 0 stands for a factor of 1.
        pairs: its matrices, by the names of the tensors that they change.
        size_bytes: of all matrices.
        data_offset: where they begin in the file.
    """

    path: Path
    architecture: str
    name: str | None
    base_name: str | None
    alpha: float
    pairs: Mapping[str, LoraPair]
    size_bytes: int
    data_offset: int

    @property
    def ranks(self) -> tuple[int, ...]:
        """The ranks that there are, each once, the smallest first."""
        return tuple(sorted({pair.rank for pair in self.pairs.values()}))

    @property
    def parameters(self) -> int:
        """The number of its weights."""
        return sum(pair.a.elements + pair.b.elements for pair in self.pairs.values())

    def factor(self, pair: LoraPair, scale: float = 1.0) -> float:
        """What ``B A`` is multiplied by, for a ``scale``."""
        return scale * self.alpha / pair.rank if self.alpha else scale


def read_adapter(path: Path | str) -> AdapterHeader:
    """Read the header of the adapter at ``path``.

    Raises:
        NotFoundError: there is no such file.
        UsageError: the path is a directory or a device.
        NotAnAdapterError: it is a GGUF file of another kind, or an adapter of a kind that the engine does not have.
        IntegrityError: it is damaged, or no GGUF file.
    """
    header = read_any_header(path)
    return adapter_of(header)


def adapter_of(header: GgufHeader) -> AdapterHeader:
    """What the file with ``header`` is as an adapter. Raises what :func:`read_adapter` raises of its content."""
    kind = kind_of_header(header)
    if kind is not FileKind.ADAPTER:
        raise NotAnAdapterError(
            f"{header.path} is {kind.phrase}, not an adapter (LoRA)", "see what a file is: phi show FILE.gguf"
        )
    facts = Facts(header.metadata)
    sort = facts.text("adapter.type")
    if sort not in (None, LORA):
        raise NotAnAdapterError(
            f"{header.path} is an adapter of the type {sort}; phi uses LoRA adapters", "phi adapters --help"
        )
    alpha = header.metadata.get(ALPHA, 0.0)
    if not isinstance(alpha, int | float) or isinstance(alpha, bool):
        raise _damaged(header, f"{ALPHA} is {alpha!r}, which should be a number")
    pairs = {pair.tensor: pair for pair in _pairs(header)}
    return AdapterHeader(
        path=header.path,
        architecture=header.architecture,
        name=header.name,
        base_name=facts.text(BASE_NAME),
        alpha=float(alpha),
        pairs=pairs,
        size_bytes=sum(tensor.size_bytes for tensor in header.tensors),
        data_offset=header.data_offset,
    )


def model_tensors(header: GgufHeader) -> dict[str, TensorInfo]:
    """The tensors of the model with ``header`` by name, those of its later parts too.

    Raises:
        PhiError: a part cannot be read.
    """
    found = {tensor.name: tensor for tensor in header.tensors}
    if header.split_count > 1:
        for part in parts_of(header.path):
            found |= {tensor.name: tensor for tensor in read_any_header(part).tensors}
    return found


def check_base(adapter: AdapterHeader, base: GgufHeader, *, name: str, model: str) -> None:
    """Return if the adapter, which people call ``name``, fits the ``model`` with the header ``base``.

    Raises:
        WrongBaseError: it does not; the message has the shapes.
    """
    hint = _hint(adapter)
    if adapter.architecture != base.architecture:
        raise WrongBaseError(
            f"the adapter {name} is for models of the architecture {adapter.architecture or 'unknown'}, "
            f"but {model} has the architecture {base.architecture}", hint,
        )  # fmt: skip
    tensors = model_tensors(base)
    tied = tensors.get(EMBEDDING) if OUTPUT not in tensors else None
    for pair in adapter.pairs.values():
        if tied is not None and pair.tensor in (EMBEDDING, OUTPUT) and pair.shape == tied.shape:
            raise _only_one_of_two(pair.tensor, name, model)
        tensor = tensors.get(pair.tensor)
        if tensor is None:
            raise WrongBaseError(
                f"the adapter {name} was made for another model than {model}: it changes {pair.tensor} "
                f"({shape_text(pair.shape)}), and {model} has no such tensor", hint,
            )  # fmt: skip
        if tensor.shape != pair.shape:
            raise WrongBaseError(
                f"the adapter {name} was made for another model than {model}: {pair.tensor} is "
                f"{shape_text(pair.shape)} in the adapter, but {shape_text(tensor.shape)} in the model", hint,
            )  # fmt: skip


def shape_text(shape: Iterable[int]) -> str:
    """A shape as people read it: ``3072 x 5120``."""
    return " x ".join(map(str, shape))


def _only_one_of_two(tensor: str, name: str, model: str) -> WrongBaseError:
    what = "token embedding (embed_tokens)" if tensor == EMBEDDING else "output layer (lm_head)"
    return WrongBaseError(
        f"the adapter {name} changes the {what}, and {model} has one matrix for token embedding and output layer: "
        "the engine cannot change only one of them",
        "train it without: LoraConfig(target_modules='all-linear')",
    )


def _hint(adapter: AdapterHeader) -> str:
    if adapter.base_name:
        return f"use it with the model that it was made for: {adapter.base_name}"
    return (
        f"use it with the model that it was made for, e.g. {TYPED_COMMAND} MODEL; see your adapters: phi adapters list"
    )


def _pairs(header: GgufHeader) -> Iterable[LoraPair]:
    found: dict[str, dict[str, TensorInfo]] = {}
    for tensor in header.tensors:
        match = _TENSOR.fullmatch(tensor.name)
        if match is None:
            raise _damaged(header, f"the tensor {tensor.name[:80]!r} is not one of an adapter")
        found.setdefault(match[1], {})[match[2]] = tensor
    for name, both in found.items():
        if len(both) != _MATRIX:
            raise _damaged(header, f"only one of the two matrices for {name[:80]} is there")
        yield _pair(header, name, both["a"], both["b"])


def _pair(header: GgufHeader, name: str, a: TensorInfo, b: TensorInfo) -> LoraPair:
    if min(len(a.shape), len(b.shape)) < _MATRIX:
        raise _damaged(header, f"the matrices for {name[:80]} are vectors")
    rank, shape = a.shape[1], (a.shape[0], b.shape[1], *a.shape[2:])
    if name == EMBEDDING:  # looked up by token, so its first matrix lies the other way
        rank, shape = a.shape[0], (b.shape[1], a.shape[1])
    if rank != b.shape[0] or rank == 0:
        message = f"the matrices for {name[:80]} do not fit each other: {shape_text(a.shape)} and {shape_text(b.shape)}"
        raise _damaged(header, message)
    return LoraPair(name, shape, rank, a, b)


def _damaged(header: GgufHeader, what: str) -> IntegrityError:
    return IntegrityError(f"{header.path} is damaged: {what}", GET_AGAIN)
