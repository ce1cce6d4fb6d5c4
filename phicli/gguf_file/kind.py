"""Judges what a GGUF file is: a model, or something that only works beside one. The only place that does.

The header decides, as far as it was read: tensors before the architecture, the architecture before ``general.type``,
because files exist whose ``general.type`` is wrong and which llama.cpp loads all the same. A name alone is a guess.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Collection, Mapping
from typing import Final

from phicli.errors import THIS_COMMAND, NotAModelError
from phicli.gguf_file.names import stem_of


class FileKind(enum.Enum):
    """What a GGUF file can be."""

    MODEL = "model"
    ADAPTER = "adapter"
    PROJECTOR = "projector"
    DRAFT = "draft model"
    VOCABULARY = "vocabulary"
    IMPORTANCE_MATRIX = "importance matrix"
    CONTROL_VECTOR = "control vector"
    BIG_ENDIAN = "big-endian file"

    @property
    def phrase(self) -> str:
        """What to call such a file in a sentence, with its article."""
        return _PHRASES[self]


_PHRASES: Final = {
    FileKind.MODEL: "a model",
    FileKind.ADAPTER: "an adapter (LoRA)",
    FileKind.PROJECTOR: "a projector for images or audio",
    FileKind.DRAFT: "a draft model, which only speeds up another model",
    FileKind.VOCABULARY: "a vocabulary without weights",
    FileKind.IMPORTANCE_MATRIX: "an importance matrix for quantization",
    FileKind.CONTROL_VECTOR: "a control vector",
    FileKind.BIG_ENDIAN: "a big-endian GGUF file, made for other processors",
}
_TYPES: Final = {
    "adapter": FileKind.ADAPTER,
    "mmproj": FileKind.PROJECTOR,
    "imatrix": FileKind.IMPORTANCE_MATRIX,
    "vocab": FileKind.VOCABULARY,
}
"""Values of ``general.type`` (gguf's ``GGUFType``) that are not models."""
_ARCHITECTURES: Final = {
    "clip": FileKind.PROJECTOR,
    "controlvector": FileKind.CONTROL_VECTOR,
    "eagle3": FileKind.DRAFT,
    "dflash": FileKind.DRAFT,
    "gemma4-assistant": FileKind.DRAFT,
}
"""Values of ``general.architecture`` of files that llama.cpp loads beside a model."""
_EMBEDDING: Final = "token_embd.weight"
_TENSORS: Final = (
    (FileKind.ADAPTER, re.compile(r".*\.lora_[ab]")),
    (FileKind.IMPORTANCE_MATRIX, re.compile(r".*\.(?:in_sum2?|counts)")),
    (FileKind.CONTROL_VECTOR, re.compile(r"direction\.\d+")),
    (FileKind.PROJECTOR, re.compile(r"(?:v|a|mm|mmproj|resampler)\..*|model\.image_newline")),
)
"""Names that all tensors have, in a file of that kind."""
_WORDS: Final = (
    (FileKind.PROJECTOR, frozenset({"mmproj", "projector"})),
    (FileKind.IMPORTANCE_MATRIX, frozenset({"imatrix"})),
    (FileKind.CONTROL_VECTOR, frozenset({"cvector", "controlvector"})),
    (FileKind.VOCABULARY, frozenset({"vocab", "vocabulary"})),
    (FileKind.ADAPTER, frozenset({"lora", "qlora", "dora", "adapter"})),
    (FileKind.DRAFT, frozenset({"draft", "eagle", "eagle2", "eagle3", "dflash", "medusa", "mtp", "speculator"})),
)
"""Words in names of files."""
_QUANT_WORD: Final = re.compile(r"i?q\d")


def kind_of(metadata: Mapping[str, object], tensors: Collection[str] | None) -> FileKind:
    """What a file is by its header.

    Args:
        metadata: the key-value part, or the beginning of it.
        tensors: the names of the tensors, or some of them; None where none could be read.
    """
    by_tensors = _by_tensors(metadata, tensors)
    if by_tensors is not None:
        return by_tensors
    architecture = metadata.get("general.architecture")
    if isinstance(architecture, str) and architecture in _ARCHITECTURES:
        return _ARCHITECTURES[architecture]
    if tensors and _EMBEDDING in tensors:
        return FileKind.MODEL
    said = metadata.get("general.type")
    return _TYPES.get(said, FileKind.MODEL) if isinstance(said, str) else FileKind.MODEL


def kind_by_name(filename: str) -> FileKind:
    """What a file seems to be by its name: a guess, which the header may correct."""
    words = re.findall(r"[a-z0-9]+", stem_of(filename).lower())
    for kind, telling in _WORDS:
        if telling.isdisjoint(words) and not (kind is FileKind.PROJECTOR and words and words[0].startswith("mmproj")):
            continue
        if kind is FileKind.ADAPTER and not {"merged", "merge"}.isdisjoint(words):
            continue
        if kind is FileKind.IMPORTANCE_MATRIX and any(map(_QUANT_WORD.fullmatch, words)):
            continue  # a model that was quantized with one
        return kind
    return FileKind.MODEL


def not_a_model(name: object, kind: FileKind, metadata: Mapping[str, object] | None = None) -> NotAModelError:
    """The error for the file ``name``, which is of another ``kind``; ``metadata`` may say what it was made for."""
    about = metadata or {}
    made_for = about.get("general.base_model.0.name") or about.get("general.name")
    named = f", {made_for}," if isinstance(made_for, str) and made_for else ""
    if kind is FileKind.BIG_ENDIAN:
        hint = f"use a little-endian file of the model; see the models: phi list; or: {THIS_COMMAND} tiny-phi"
        return NotAModelError(f"{name} is {kind.phrase}", hint, data={"kind": kind.value})
    if kind is FileKind.ADAPTER:
        model = named.rstrip(",")
        hint = f"add it: phi adapters add FILE.gguf; then use it with its model{model}: --adapter NAME"
        return NotAModelError(f"{name} is {kind.phrase}, not a model", hint, data={"kind": kind.value})
    hint = f"use the file of the model itself{named} instead: {THIS_COMMAND} FILE.gguf; see the models: phi list"
    return NotAModelError(f"{name} is {kind.phrase}, not a model", hint, data={"kind": kind.value})


def _by_tensors(metadata: Mapping[str, object], tensors: Collection[str] | None) -> FileKind | None:
    if tensors is None:
        return None
    if not tensors:  # the first part of a split model may have none
        split = metadata.get("split.count")
        return None if isinstance(split, int) and split > 1 else FileKind.VOCABULARY
    return next((kind for kind, name in _TENSORS if all(map(name.fullmatch, tensors))), None)
