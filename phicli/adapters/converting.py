"""Writes an adapter of PEFT as a GGUF file, which the engine loads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from phicli.adapters.new_file import new_file
from phicli.adapters.peft import PeftAdapter
from phicli.gguf_file.adapter import LORA

if TYPE_CHECKING:
    import numpy as np

    from phicli.adapters.safetensors import SavedTensor

OnBytes = Callable[[int, int], None]
"""Called again and again with the bytes that are done, and all bytes."""
ARCHITECTURE: Final = "phi3"
"""Phi-3, Phi-3.5-mini, Phi-4 and Phi-4-mini: those whose matrices have the names in :mod:`phicli.adapters.peft`."""


def silent(done: int, total: int) -> None:
    """A progress that is not shown."""


def gguf_bytes(adapter: PeftAdapter) -> int:
    """About the size of the file that :func:`write_adapter` writes."""
    weights = sum(_written_bytes(tensor, pair.factor) for pair in adapter.pairs for tensor in (pair.a, pair.b))
    return weights + 256 * len(adapter.pairs) + 4096


def write_adapter(adapter: PeftAdapter, target: Path, *, name: str, on_bytes: OnBytes = silent) -> None:
    """Write ``adapter`` to ``target``, completely or not at all.

    F32 and F16 stay what they are. BF16 becomes F32, which is exact, and which every build of the engine computes with.

    Args:
        adapter: what :func:`~phicli.adapters.peft.read_peft` returned.
        target: the file, which may exist.
        name: goes into the metadata.
        on_bytes: is told how far it is.

    Raises:
        OSError: the target cannot be written.
        IntegrityError: the source changed meanwhile.
    """
    import gguf

    total = sum(tensor.size_bytes for pair in adapter.pairs for tensor in (pair.a, pair.b))
    with new_file(target) as path:
        writer = gguf.GGUFWriter(path, ARCHITECTURE)
        try:
            _add_metadata(writer, adapter, name)
            for pair in adapter.pairs:
                _add_info(writer, f"{pair.tensor}.lora_a", pair.a, 1.0)
                _add_info(writer, f"{pair.tensor}.lora_b", pair.b, pair.factor)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_ti_data_to_file()
            done = 0
            for pair in adapter.pairs:
                for tensor, factor in ((pair.a, 1.0), (pair.b, pair.factor)):
                    writer.write_tensor_data(_values(adapter, tensor, factor))
                    done += tensor.size_bytes
                    on_bytes(done, total)
        finally:
            writer.close()


def _add_metadata(writer: Any, adapter: PeftAdapter, name: str) -> None:
    writer.add_type("adapter")
    writer.add_name(name)
    if adapter.base_name:
        writer.add_base_model_count(1)
        writer.add_base_model_name(0, adapter.base_name)
    writer.add_string("adapter.type", LORA)
    writer.add_float32("adapter.lora.alpha", adapter.alpha)


def _add_info(writer: Any, name: str, tensor: SavedTensor, factor: float) -> None:
    import numpy as np

    kind = np.float16 if tensor.dtype == "F16" and factor == 1 else np.float32
    writer.add_tensor_info(name, tensor.shape, np.dtype(kind), _written_bytes(tensor, factor))


def _written_bytes(tensor: SavedTensor, factor: float) -> int:
    kept = tensor.dtype == "F32" or (tensor.dtype == "F16" and factor == 1)
    return tensor.size_bytes if kept else 2 * tensor.size_bytes


def _values(adapter: PeftAdapter, tensor: SavedTensor, factor: float) -> np.ndarray[Any, Any]:
    import numpy as np

    values = adapter.file.values(tensor)
    return values if factor == 1 else values.astype(np.float32) * np.float32(factor)
