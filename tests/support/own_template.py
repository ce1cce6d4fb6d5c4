"""tiny-phi as a file that is not a Phi: its special tokens have other names, and it brings its own chat template."""

from __future__ import annotations

from pathlib import Path

import gguf

from tests.support.files import TINY_PHI

_RENAMED = {"<|user|>": "<|person|>", "<|assistant|>": "<|machine|>"}
_TEMPLATE = (
    "{% for message in messages %}{{ '<|person|>' if message['role'] == 'user' else '<|machine|>' }}"
    "{{ message['content'] + '<|end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|machine|>' }}{% endif %}"
)


def write_with_own_template(path: Path, template: str | None = _TEMPLATE) -> Path:
    """Write such a file; without a ``template`` it has none. The tokens of a prompt are the same as tiny-phi's."""
    reader = gguf.GGUFReader(TINY_PHI)
    writer = gguf.GGUFWriter(path, "phi3")
    changed = {"general.name": "Other", "tokenizer.chat_template": template}
    for key, field in reader.fields.items():
        value = changed.get(key, field.contents())
        if key.startswith("GGUF.") or key == "general.architecture" or value is None:
            continue
        if key == "tokenizer.ggml.tokens":
            value = [_RENAMED.get(token, token) for token in value]
        element = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(key, value, field.types[0], element)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
