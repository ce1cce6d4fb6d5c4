"""Writes an adapter of PEFT as a GGUF file, which the engine loads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from phicli.adapters.new_file import new_file
from phicli.adapters.peft import PeftAdapter
from phicli.errors import IntegrityError
from phicli.gguf_file.adapter import LORA

if TYPE_CHECKING:
    import numpy as np

    from phicli.adapters.safetensors import SafetensorsFile, SavedTensor

OnBytes = Callable[[int, int], None]
"""Called again and again with the bytes that are done, and all bytes."""
ARCHITECTURE: Final = "phi3"
"""Phi-3, Phi-3.5-mini, Phi-4 and Phi-4-mini: those whose matrices have the names in :mod:`phicli.adapters.peft`."""


def silent(done: int, total: int) -> None:
    """A progress that is not shown."""


def gguf_bytes(adapter: PeftAdapter) -> int:
    """About the size of the file that :func:`write_adapter` writes."""
    weights = sum(one.written_bytes for one in _matrices(adapter))
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
        IntegrityError: the source changed meanwhile, or has values that are not numbers.
    """
    import gguf

    total = sum(tensor.size_bytes for pair in adapter.pairs for tensor in (pair.a, pair.b))
    with new_file(target) as path:
        writer = gguf.GGUFWriter(path, ARCHITECTURE)
        try:
            _add_metadata(writer, adapter, name)
            for one in _matrices(adapter):
                one.announce(writer)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_ti_data_to_file()
            done = 0
            for one in _matrices(adapter):
                writer.write_tensor_data(one.values(adapter.file))
                done += one.saved.size_bytes
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


@dataclass(frozen=True, slots=True)
class _Matrix:
    """A matrix of the new file: its name, what it is made of, and how."""

    name: str
    saved: SavedTensor
    factor: float = 1.0
    transposed: bool = False

    @property
    def stays_f16(self) -> bool:
        return self.saved.dtype == "F16" and self.factor == 1

    @property
    def written_bytes(self) -> int:
        return self.saved.size_bytes if self.stays_f16 or self.saved.dtype == "F32" else 2 * self.saved.size_bytes

    def announce(self, writer: Any) -> None:
        """Put it into the header."""
        import numpy as np

        shape = self.saved.shape[::-1] if self.transposed else self.saved.shape
        kind = np.dtype(np.float16 if self.stays_f16 else np.float32)
        writer.add_tensor_info(self.name, shape, kind, self.written_bytes)

    def values(self, file: SafetensorsFile) -> np.ndarray[Any, Any]:
        """Its values.

        Raises:
            IntegrityError: some are not numbers.
        """
        import numpy as np

        found = file.values(self.saved)
        if self.factor != 1:
            with np.errstate(over="ignore"):
                found = found.astype(np.float32) * np.float32(self.factor)
        if not np.isfinite(found).all():
            raise IntegrityError(
                f"{file.path}: {self.saved.name[:120]} has values that are not numbers (NaN or infinite)",
                "the training failed: use an earlier checkpoint, or train again with a smaller learning rate",
            )
        return np.ascontiguousarray(found.T) if self.transposed else found


def _matrices(adapter: PeftAdapter) -> Iterator[_Matrix]:
    """All matrices, in the order of the file."""
    for pair in adapter.pairs:
        yield _Matrix(f"{pair.tensor}.lora_a", pair.a, transposed=pair.is_transposed)
        yield _Matrix(f"{pair.tensor}.lora_b", pair.b, pair.factor)
