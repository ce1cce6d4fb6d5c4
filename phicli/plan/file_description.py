"""What a GGUF file says about itself, for ``phi show``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phicli.catalog.resolve import known_by_name
from phicli.catalog.types import Variant
from phicli.gguf_file.ggml_types import ORDINARY
from phicli.gguf_file.header import kind_of_header, read_any_header
from phicli.gguf_file.kind import FileKind
from phicli.gguf_file.names import whole_size
from phicli.gguf_file.split_patterns import TRUE_PATTERNS, lost_pattern
from phicli.gguf_file.types import GgufHeader, Vocabulary
from phicli.hub.verified import FileRecord, recorded
from phicli.plan.identify import FormatChoice, choose_format
from phicli.plan.label import is_mislabeled
from phicli.plan.locate import LocatedModel
from phicli.plan.model_facts import parameters_of
from phicli.plan.sampling import ChatSampling, sampling_of_file

_SAID: Final = ("license", "description", "base_model.0.name", "quantized_by", "size_label")


@dataclass(frozen=True, slots=True)
class VocabularyDescription:
    """The tokenizer: ``kind`` is ``gpt2`` (BPE), ``llama`` (SentencePiece), …; ``pre`` names how text is split first.

    ``special_tokens`` are id and literal of every token that is not ordinary text. ``notes`` say what is unusual about
    it, and what ``phi`` does about that.
    """

    kind: str | None
    pre: str | None
    size: int
    special_tokens: tuple[tuple[int, str], ...]
    bos_id: int | None
    eos_id: int | None
    eot_id: int | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FileDescription:
    """A file by its header; what the header does not say is None.

    ``quant`` is the header's, else the name's. ``parameters`` are counted over the tensors, None for a split model
    that lacks a part. ``size_bytes`` is the sum of all parts, of the first alone when ``complete`` is
    false. ``said`` are the header's own words (license, base model, …) by key without ``general.``. ``variant`` is the
    catalog's entry for the file, ``prompt_format`` and ``sampling`` what ``phi chat`` would use. A file of another
    ``kind`` than ``model``, such as ``adapter``, has no variant.
    """

    path: Path
    kind: str
    architecture: str
    general_name: str | None
    quant: str | None
    parameters: int | None
    context_tokens: int | None
    original_context_tokens: int | None
    layers: int | None
    heads: int | None
    kv_heads: int | None
    head_size: int | None
    hidden: int | None
    feed_forward: int | None
    experts: int
    vocabulary: VocabularyDescription | None
    has_chat_template: bool
    split_count: int
    complete: bool
    size_bytes: int
    said: tuple[tuple[str, str], ...]
    variant: Variant | None
    prompt_format: FormatChoice
    sampling: ChatSampling
    verified: FileRecord | None

    @property
    def is_model(self) -> bool:
        """Whether it can be used alone."""
        return self.kind == FileKind.MODEL.value


def describe_file(model: LocatedModel) -> FileDescription:
    """Read the header of a located file.

    Raises:
        NotFoundError: there is no such file.
        UsageError: it is a directory or a device.
        IntegrityError: it is not a GGUF file, or it is damaged.
    """
    header = read_any_header(model.path)
    kind = kind_of_header(header)
    variant = (model.variant or known_by_name(header.name)) if kind is FileKind.MODEL else None
    chosen = choose_format(header, variant)
    whole = whole_size(model.path)
    return FileDescription(
        path=model.path.absolute(),
        kind=kind.value,
        architecture=header.architecture,
        general_name=header.name,
        quant=header.quant or model.quant,
        parameters=parameters_of(header),
        context_tokens=header.context_length,
        original_context_tokens=header.original_context_length,
        layers=header.block_count,
        heads=max(header.head_counts, default=None),
        kv_heads=max(header.kv_head_counts, default=None),
        head_size=header.key_length,
        hidden=header.embedding_length,
        feed_forward=max(header.feed_forward_lengths, default=None),
        experts=header.expert_count,
        vocabulary=_vocabulary(header),
        has_chat_template=header.chat_template is not None,
        split_count=header.split_count,
        complete=whole is not None,
        size_bytes=header.file_size_bytes if whole is None else whole,
        said=_said(header),
        variant=variant,
        prompt_format=chosen,
        sampling=sampling_of_file(header, variant, chosen),
        verified=recorded(model.path),
    )


def _vocabulary(header: GgufHeader) -> VocabularyDescription | None:
    found = header.vocabulary
    if found is None:
        return None
    return VocabularyDescription(
        kind=found.model,
        pre=found.pre,
        size=found.size,
        special_tokens=tuple((index, token.literal) for index, token in found.special_tokens.items()),
        bos_id=found.bos_id,
        eos_id=found.eos_id,
        eot_id=found.eot_id,
        notes=tuple(_notes(header, found)),
    )


def _notes(header: GgufHeader, vocabulary: Vocabulary) -> Iterator[str]:
    if is_mislabeled(header):
        yield "general.name says Phi-3, but the vocabulary is not Phi-3's; phi gives the engine another name"
    unmarked = sum(token.kind in ORDINARY for token in vocabulary.special_tokens.values())
    if unmarked:
        yield f"special tokens that the file does not mark as special: {unmarked}; their spelling identifies them"
    if lost_pattern(vocabulary) is not None:
        yield "the file does not name its pre-tokenizer, but the vocabulary is known: phi splits text correctly"
    if vocabulary.pre in TRUE_PATTERNS:
        yield "non-ASCII text is split by the model's own pattern, which differs from llama.cpp's"


def _said(header: GgufHeader) -> tuple[tuple[str, str], ...]:
    values = ((key, header.metadata.get(f"general.{key}")) for key in _SAID)
    return tuple((key, value) for key, value in values if isinstance(value, str) and value)
