"""GGUF files that are no models, and models in several files: small ones that the ``gguf`` package writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import gguf
import numpy as np

from tests.support.files import TINY_PHI

LORA = "blk.0.attn_qkv.weight.lora_a"
MODEL_TENSORS = ("token_embd.weight", "blk.0.attn_qkv.weight", "output_norm.weight")


def write_kind(
    path: Path, architecture: str, kind: str | None, tensors: Sequence[str], said: Mapping[str, str] | None = None
) -> Path:
    """A file with these tensors, whose ``general.type`` is ``kind``; ``said`` has more keys."""
    writer = gguf.GGUFWriter(path, architecture or "x")
    if not architecture:
        writer.kv_data[0].pop("general.architecture")
    if kind is not None:
        writer.add_type(kind)
    for key, value in (said or {}).items():
        writer.add_string(key, value)
    for name in tensors:
        writer.add_tensor(name, np.zeros((8, 8), np.float32))
    _finish(writer)
    return path


def write_adapter(path: Path) -> Path:
    """A LoRA adapter of Phi-4-mini."""
    return write_kind(path, "phi3", "adapter", [LORA], {"general.name": "Phi 4 Mini Instruct"})


def write_projector(path: Path) -> Path:
    """A projector for pictures."""
    return write_kind(path, "clip", "mmproj", ["v.patch_embd.weight"], {"general.name": "Phi 4 Reasoning Vision"})


def write_imatrix(path: Path) -> Path:
    """An importance matrix."""
    return write_kind(path, "", "imatrix", ["blk.0.attn_qkv.weight.in_sum2", "blk.0.attn_qkv.weight.counts"])


def write_big_endian(path: Path) -> Path:
    """The start of tiny-phi as a big-endian machine would write it."""
    content = TINY_PHI.read_bytes()
    path.write_bytes(content[:4] + content[4:8][::-1] + content[8:])
    return path


def untied_tiny_phi(path: Path) -> Path:
    """tiny-phi with an output layer of its own: the token embedding, its rows moved on by one."""
    reader = gguf.GGUFReader(TINY_PHI)
    writer = gguf.GGUFWriter(path, "phi3")
    _copy_keys(reader, writer)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data)
        if tensor.name == "token_embd.weight":
            writer.add_tensor("output.weight", np.roll(tensor.data, 1, axis=0))
    _finish(writer)
    return path


def split_tiny_phi(folder: Path, name: str = "m") -> list[Path]:
    """tiny-phi in several files."""
    folder.mkdir(parents=True, exist_ok=True)
    reader = gguf.GGUFReader(TINY_PHI)
    writer = gguf.GGUFWriter(folder / f"{name}.gguf", "phi3", split_max_tensors=10)
    _copy_keys(reader, writer)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data)
    _finish(writer)
    return sorted(folder.glob(f"{name}-*.gguf"))


def _copy_keys(reader: gguf.GGUFReader, writer: gguf.GGUFWriter) -> None:
    array = gguf.GGUFValueType.ARRAY
    for field in reader.fields.values():
        if not field.name.startswith("GGUF.") and field.name != "general.architecture":
            sub_type = field.types[-1] if field.types[0] == array else None
            writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=sub_type)


def _finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
