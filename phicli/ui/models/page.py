"""``phi show``: everything about one model, as a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from phicli.catalog.quants import PACKAGED_QUANT
from phicli.catalog.types import Dimensions, Variant
from phicli.chat_format.example import PromptExample, prompt_example, spelled
from phicli.chat_format.types import Special
from phicli.plan.description import VariantDescription
from phicli.plan.file_description import FileDescription
from phicli.plan.installed import InstalledModel
from phicli.plan.overview import PublishedFile
from phicli.plan.recommendation import OnThisMachine
from phicli.records.tuned import Tuned
from phicli.ui.bench.tuned_settings import tuned_section
from phicli.ui.models.file_page import file_sections, file_title
from phicli.ui.models.on_this_machine import here_section, star_says
from phicli.ui.models.sampling import sampling_text
from phicli.ui.sections import Section, print_page
from phicli.ui.terminal import Terminal
from phicli.units import format_about, format_bytes, format_count, format_day, format_tokens

_LANGUAGES: Final = {
    "ar": "Arabic", "zh": "Chinese", "cs": "Czech", "da": "Danish", "nl": "Dutch", "en": "English", "fi": "Finnish",
    "fr": "French", "de": "German", "he": "Hebrew", "hu": "Hungarian", "it": "Italian", "ja": "Japanese",
    "ko": "Korean", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ru": "Russian", "es": "Spanish",
    "sv": "Swedish", "th": "Thai", "tr": "Turkish", "uk": "Ukrainian",
}  # fmt: skip
_MOST_LANGUAGES: Final = 3
"""Up to so many are spelled out."""
_GROUPS: Final = {"runs_on": "what runs it", "system_prompt": "system prompt"}
"""Groups of facts by what a person calls them, where that is another word."""
_F16_BYTES: Final = 2


def example_of(shown: VariantDescription | FileDescription) -> PromptExample | None:
    """The prompt format of what is shown, on an example; None where it is the file's own template, or there is none."""
    variant = shown.variant
    own = variant.system_prompt if variant else None
    if isinstance(shown, FileDescription):
        chosen = shown.prompt_format
        return prompt_example(chosen.name, reasoning=chosen.reasoning, system_prompt=own)
    return prompt_example(shown.variant.prompt_format, reasoning=shown.variant.reasoning, system_prompt=own)


def print_description(
    terminal: Terminal,
    shown: VariantDescription | FileDescription,
    here: OnThisMachine | None = None,
    tuned: Sequence[tuple[str | None, Tuned]] = (),
) -> None:
    """The page to standard output; ``here`` is what it takes on this machine, None where it cannot run.

    ``tuned`` is what tuning found here, for each quantization.

    Raises:
        OutputClosedError: the reader has closed it.
    """
    example = example_of(shown)
    if isinstance(shown, FileDescription):
        prompt = [prompt_section(example, shown.prompt_format.name)] if shown.is_model else []
        print_page(terminal, file_title(shown), [*file_sections(shown, example, here, tuned), *prompt])
    else:
        sections = list(variant_sections(shown, example, here, tuned))
        print_page(terminal, f"{shown.variant.id}: {shown.variant.title}", sections)


def variant_sections(
    shown: VariantDescription,
    example: PromptExample | None,
    here: OnThisMachine | None = None,
    tuned: Sequence[tuple[str | None, Tuned]] = (),
) -> Iterator[Section]:
    """The sections of a variant's page."""
    variant = shown.variant
    yield Section("", facts=tuple(_facts(variant)))
    if not variant.runs_here:
        yield Section("Runs elsewhere", facts=tuple(_elsewhere(variant)))
    yield Section("Installed", facts=(*_packaged(shown), *_installed(shown.installed)))
    if here:
        yield here_section(here, shown)
    yield tuned_section(tuned)
    yield from _downloads(shown)
    if variant.prompt_format:
        yield prompt_section(example, variant.prompt_format)
    yield Section("Answers", facts=tuple(_answers(shown, example)))
    if variant.dimensions:
        memory = _context_memory(variant.dimensions) if variant.runs_here else ()
        yield Section("Dimensions", facts=(*_dimensions(variant.dimensions), *memory))
    yield Section("Worth knowing", points=variant.notes)
    numbers = {key: f"[{place}]" for place, key in enumerate(shown.sources, 1)}
    yield _scores(variant, numbers)
    yield Section("Sources", facts=tuple(_sources(variant, shown.sources, numbers)))


def prompt_section(example: PromptExample | None, name: str) -> Section:
    """A prompt format shown on an example, its special tokens marked."""
    if example is None:
        return Section("Prompt format", points=("the chat template in the file",))
    marked = [(spelled(segment), isinstance(segment, Special)) for segment in example.segments]
    while marked and not marked[-1][0].strip("\n"):
        marked.pop()
    if marked:
        text, special = marked[-1]
        marked[-1] = (text.rstrip("\n"), special)
    how = " with --system" if example.asks_for_system else ""
    return Section(f"Prompt format {name}, on an example{how}", marked=tuple(marked))


def _facts(variant: Variant) -> Iterator[tuple[str, str]]:
    active = f", {format_count(variant.active_parameters)} active" if variant.active_parameters else ""
    original = variant.original_context_tokens
    longer = f"; LongRoPE: other factors above {original:,} tokens" if original else ""
    yield "family", variant.family + (f", released {variant.release}" if variant.release else "")
    yield "parameters", f"{format_count(variant.parameters)}{active}"
    yield "context", f"{format_tokens(variant.context_tokens)} ({variant.context_tokens:,} tokens{longer})"
    several = {
        "main strength": variant.strength,
        "best use": variant.best_use,
        "capabilities": ", ".join(variant.capabilities),
        "languages": _languages(variant.languages),
        "license": variant.license,
        "runs on": variant.runs_on if variant.runs_here else "",
        "architecture": variant.architecture or "",
        "weights": variant.repo or "",
        "also called": ", ".join(variant.aliases),
    }
    yield from ((label, value) for label, value in several.items() if value)


def _languages(codes: tuple[str, ...]) -> str:
    if len(codes) > _MOST_LANGUAGES:
        return f"{len(codes)}: {', '.join(codes)}"
    return ", ".join(_LANGUAGES.get(code, code) for code in codes)


def _elsewhere(variant: Variant) -> Iterator[tuple[str, str]]:
    yield "why", variant.why_not or "no GGUF engine supports it"
    yield "runs on", variant.runs_on


def _packaged(shown: VariantDescription) -> Iterator[tuple[str, str]]:
    path = shown.packaged_path
    if path is not None:
        yield PACKAGED_QUANT, f"{format_bytes(shown.packaged_bytes)}, comes with phi"
        yield "", str(path)


def _installed(models: tuple[InstalledModel, ...]) -> Iterator[tuple[str, str]]:
    for model in models:
        day = "never verified" if model.verified_at is None else f"verified {format_day(model.verified_at)}"
        where = f"from {model.repo}" if model.repo else f"{model.name}, used in place ({model.origin})"
        yield model.quant or "?", f"{format_bytes(model.size_bytes)}, {day}, {where}"
        yield "", str(model.path)


def _downloads(shown: VariantDescription) -> Iterator[Section]:
    """One section for each repository with GGUF files, in order of preference."""
    variant = shown.variant
    asked = False
    for source in variant.sources:
        files = [file for file in shown.published if file.repo == source.repo]
        if shown.published and not files and shown.quant:
            continue  # another repository has what was asked for
        points = [*_taken(shown, files), *([source.note] if source.note else [])]
        name = _open_question(source.repo, files, shown.quant)
        how = f": phi pull {name} --dry-run" if name and not asked else ""
        asked = asked or name is not None
        if not files:
            points.append(f"its files are listed on the hub{how}")
        elif how:
            points.append(f"the missing sizes are on the hub{how}")
        rows = tuple((_marked(file, shown.best), _size(file), file.filename) for file in files)
        yield Section(
            f"To download from {source.repo}",
            table=(("quant", "size", "file"), *rows) if rows else (),
            right=(1,),
            points=tuple(points),
        )
    if variant.runs_here and not variant.sources and variant.packaged_file is None:
        own = "no verified GGUF file is known; to use your own: phi chat FILE.gguf"
        yield Section("To download", points=(own,))


def _taken(shown: VariantDescription, files: list[PublishedFile]) -> Iterator[str]:
    """What the star means, for the repository that has it."""
    if any(_is_same(file, shown.best) for file in files):
        yield star_says(shown)


def _marked(file: PublishedFile, best: PublishedFile | None) -> str:
    return f"{file.quant} *" if _is_same(file, best) else file.quant


def _is_same(file: PublishedFile, other: PublishedFile | None) -> bool:
    return other is not None and (file.repo, file.filename) == (other.repo, other.filename)


def _open_question(repo: str, files: list[PublishedFile], quant: str | None) -> str | None:
    """What to ask the hub for where the catalog does not know the files of ``repo``, or a size."""
    if not files:
        return f"{repo}:{quant}" if quant else repo
    return next((f"{repo}:{file.quant}" for file in files if file.size_bytes is None), None)


def _size(file: PublishedFile) -> str:
    if file.size_bytes is None:
        return "?"
    return format_bytes(file.size_bytes) if file.size_is_exact else format_about(file.size_bytes)


def _answers(shown: VariantDescription, example: PromptExample | None) -> Iterator[tuple[str, str]]:
    variant = shown.variant
    stops = variant.stop_tokens or (example.stop_tokens if example else ())
    if stops:
        yield "stop tokens", " ".join(stops)
    if example and example.stop_strings:
        yield "stop texts", " ".join(map(repr, example.stop_strings))
    if variant.runs_here:
        yield "sampling", sampling_text(shown.sampling)
    if variant.reasoning and variant.runs_here:
        yield "reasoning", "<think>…</think> before the answer"
    if variant.system_prompt:
        yield "system prompt", variant.system_prompt


def _dimensions(size: Dimensions) -> Iterator[tuple[str, str]]:
    yield "layers", str(size.layers)
    yield "attention", f"{size.heads} heads of size {size.head_size}, {size.kv_heads} key-value heads"
    yield "hidden", f"{size.hidden:,}" + (f", feed-forward {size.feed_forward:,}" if size.feed_forward else "")
    yield "vocabulary", f"{size.vocabulary:,}, {'tied' if size.tied else 'not tied'} to the output"
    if size.experts:
        yield "experts", f"{size.experts}, {size.experts_used} used per token"


def _context_memory(size: Dimensions) -> Iterator[tuple[str, str]]:
    token_bytes = 2 * size.layers * size.kv_heads * size.head_size * _F16_BYTES
    yield "KV cache", f"{format_bytes(1000 * token_bytes)} for 1,000 tokens (keys and values in f16)"


def _scores(variant: Variant, numbers: Mapping[str, str]) -> Section:
    """The scores as they were published; a column of notes where there is one."""
    if not variant.scores:
        return Section("Scores")
    rows = [("benchmark", "score", "source", "note")]
    rows += [(s.benchmark, str(s.value), numbers[s.source], s.note or "") for s in variant.scores]
    columns = 4 if any(score.note for score in variant.scores) else 3
    warning = "Sources measure in different ways: compare only scores from the same source."
    return Section("Scores", table=tuple(row[:columns] for row in rows), right=(1,), points=(warning,))


def _sources(variant: Variant, sources: Mapping[str, str], numbers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Number → what the source is, and which facts come from it."""
    for key, what in sources.items():
        groups = [_GROUPS.get(group, group) for group, source in variant.provenance.items() if source == key]
        groups += ["files"] * any(source.source == key for source in variant.sources)
        yield numbers[key], what + (f" ({', '.join(groups)})" if groups else "")
