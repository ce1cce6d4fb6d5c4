"""A model file with its matrices in another quantization, or with more in its header."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np

_FILE_TYPES = {
    "F32": gguf.LlamaFileType.ALL_F32,
    "F16": gguf.LlamaFileType.MOSTLY_F16,
    "BF16": gguf.LlamaFileType.MOSTLY_BF16,
    "Q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
    "Q5_0": gguf.LlamaFileType.MOSTLY_Q5_0,
    "Q4_0": gguf.LlamaFileType.MOSTLY_Q4_0,
}
_OF_THE_WRITER = ("general.architecture", "general.file_type")


def requantise(
    source: Path, path: Path, quant: str, more: Mapping[str, float] | None = None, *, name: str | None = None
) -> Path:
    """Write ``source`` to ``path`` with all matrices in ``quant``; what is there already is left as it is.

    ``more`` are numbers for the header, ``name`` is another name of the model.
    """
    if path.exists():
        return path
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(path, reader.fields["general.architecture"].contents())
    writer.add_file_type(_FILE_TYPES[quant])
    for key, field in reader.fields.items():
        if not key.startswith("GGUF.") and key not in _OF_THE_WRITER:
            element = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            value = name if name and key == "general.name" else field.contents()
            writer.add_key_value(key, value, field.types[0], element)
    for key, number in (more or {}).items():
        writer.add_key_value(key, number, gguf.GGUFValueType.FLOAT32)
    kind = gguf.GGMLQuantizationType[quant]
    for tensor in reader.tensors:
        values = gguf.dequantize(tensor.data, tensor.tensor_type)
        if values.ndim == 1:
            writer.add_tensor(tensor.name, values.astype(np.float32))
        else:
            writer.add_tensor(tensor.name, gguf.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
