"""``phi show FILE.gguf``: what a file says about itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from phicli.chat_format.example import PromptExample
from phicli.plan.file_description import FileDescription, VocabularyDescription
from phicli.plan.recommendation import OnThisMachine
from phicli.records.tuned import Tuned
from phicli.ui.bench.tuned_settings import tuned_section
from phicli.ui.models.on_this_machine import here_section
from phicli.ui.models.sampling import sampling_text
from phicli.ui.sections import Section
from phicli.units import format_bytes, format_count, format_day, format_tokens

_KINDS: Final = {"gpt2": "BPE", "llama": "SentencePiece", "bert": "WordPiece", "t5": "unigram"}
_SAID: Final = {
    "license": "license",
    "base_model.0.name": "made from",
    "quantized_by": "quantized by",
    "size_label": "size label",
    "description": "description",
}
_MOST_SPECIALS: Final = 16


def file_title(shown: FileDescription) -> str:
    """The first line of the page."""
    return f"{shown.path.name}: {shown.general_name or 'a file without a name'}"


def file_sections(
    shown: FileDescription,
    example: PromptExample | None,
    here: OnThisMachine | None = None,
    tuned: Sequence[tuple[str | None, Tuned]] = (),
) -> Iterator[Section]:
    """What the header says, by subject; the prompt format is not among it."""
    yield Section("", facts=tuple(_facts(shown)))
    if here:
        yield here_section(here)
    yield tuned_section(tuned)
    yield Section("Dimensions", facts=tuple(_dimensions(shown)))
    if shown.vocabulary:
        yield Section("Vocabulary", facts=tuple(_vocabulary(shown.vocabulary, example)))
    yield Section("Header", facts=tuple((_SAID[key], value) for key, value in _said(shown)))


def _facts(shown: FileDescription) -> Iterator[tuple[str, str]]:
    yield "path", str(shown.path)
    parts = f" in {shown.split_count} files" if shown.split_count > 1 else ""
    missing = "" if shown.complete else ", some of them missing"
    yield "size", f"{format_bytes(shown.size_bytes)}{parts}{missing}"
    record = shown.verified
    yield "verified", "never" if record is None else f"{format_day(record.verified_at)}, sha256 {record.sha256}"
    if shown.variant:
        yield "in the catalog", f"{shown.variant.id}; see: phi show {shown.variant.id}"
    else:
        yield "in the catalog", "no"
    if not shown.is_model:
        yield "kind", f"{shown.kind}, not a model: it cannot be used alone"
    yield "architecture", shown.architecture or "not stated"
    yield "quant", shown.quant or "not stated"
    if shown.parameters is not None:
        yield "parameters", f"{format_count(shown.parameters)} ({shown.parameters:,})"
    yield "chat template", "yes" if shown.has_chat_template else "no"
    yield "sampling", sampling_text(shown.sampling)
    if shown.context_tokens is not None:
        yield "context", _context(shown.context_tokens, shown.original_context_tokens)


def _said(shown: FileDescription) -> tuple[tuple[str, str], ...]:
    """What the file says of itself; of the model that comes with phi the license is from the catalog."""
    if shown.variant is None or not shown.variant.packaged_file:
        return shown.said
    return tuple((key, shown.variant.license if key == "license" else value) for key, value in shown.said)


def _context(tokens: int, original: int | None) -> str:
    longer = f"; extended from {original:,}" if original and original < tokens else ""
    return f"{format_tokens(tokens)} ({tokens:,} tokens{longer})"


def _dimensions(shown: FileDescription) -> Iterator[tuple[str, str]]:
    if shown.layers is not None:
        yield "layers", str(shown.layers)
    if shown.heads:
        size = f" of size {shown.head_size}" if shown.head_size else ""
        yield "attention", f"{shown.heads} heads{size}, {shown.kv_heads} key-value heads"
    if shown.hidden:
        yield "hidden", f"{shown.hidden:,}" + (f", feed-forward {shown.feed_forward:,}" if shown.feed_forward else "")
    if shown.experts:
        yield "experts", str(shown.experts)


def _vocabulary(vocabulary: VocabularyDescription, example: PromptExample | None) -> Iterator[tuple[str, str]]:
    kind = vocabulary.kind or "not stated"
    pre = f", {vocabulary.pre}" if vocabulary.pre else ""
    yield "tokenizer", f"{_KINDS.get(kind, kind)}{pre}, {vocabulary.size:,} tokens"
    literals = dict(vocabulary.special_tokens)
    ids = {"begin of text": vocabulary.bos_id, "end of text": vocabulary.eos_id, "end of turn": vocabulary.eot_id}
    yield from ((label, f"{literals.get(one, '')} ({one})".lstrip()) for label, one in ids.items() if one is not None)
    if example:
        there = [token for token in example.stop_tokens if token in literals.values()]
        yield "stop tokens", " ".join(there) or "not those of the prompt format"
    shown = " ".join(list(literals.values())[:_MOST_SPECIALS])
    more = len(literals) - _MOST_SPECIALS
    yield "special tokens", (shown + (f" and {more:,} more (--json has all)" if more > 0 else "")) or "none"
    yield from (("note", note) for note in vocabulary.notes)
