"""``phi show``: everything about one model, as a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from phicli.catalog.types import Dimensions, SamplingDefaults, Variant
from phicli.chat_format.types import Special
from phicli.plan.description import VariantDescription
from phicli.plan.file_description import FileDescription
from phicli.plan.inventory import InstalledModel
from phicli.plan.overview import PublishedFile
from phicli.ui.file_page import file_sections, file_title
from phicli.ui.page import Section, print_page
from phicli.ui.prompt_example import PromptExample, prompt_example, spelled
from phicli.ui.terminal import Terminal
from phicli.units import format_about, format_bytes, format_count, format_day, format_tokens


def example_of(shown: VariantDescription | FileDescription) -> PromptExample | None:
    """The prompt format of what is shown, on an example; None where it is the file's own template, or there is none."""
    if isinstance(shown, FileDescription):
        return prompt_example(shown.prompt_format.name, reasoning=shown.prompt_format.reasoning)
    return prompt_example(shown.variant.prompt_format, reasoning=shown.variant.reasoning)


def print_description(terminal: Terminal, shown: VariantDescription | FileDescription) -> None:
    """The page to standard output.

    Raises:
        OutputClosedError: nobody reads it any more.
    """
    example = example_of(shown)
    if isinstance(shown, FileDescription):
        prompt = prompt_section(example, shown.prompt_format.name)
        print_page(terminal, file_title(shown), [*file_sections(shown, example), prompt])
    else:
        print_page(terminal, f"{shown.variant.id}: {shown.variant.title}", list(variant_sections(shown, example)))


def variant_sections(shown: VariantDescription, example: PromptExample | None) -> Iterator[Section]:
    """The sections of a variant's page."""
    variant = shown.variant
    yield Section("", facts=tuple(_facts(variant)))
    if not variant.runs_here:
        yield Section("Does not run here", facts=tuple(_elsewhere(variant)))
    yield Section("On this machine", facts=(*_packaged(shown), *_installed(shown.installed)))
    yield from _downloads(shown)
    if variant.prompt_format:
        yield prompt_section(example, variant.prompt_format)
    yield Section("Answers", facts=tuple(_answers(variant, example)))
    if variant.dimensions:
        yield Section("Dimensions", facts=tuple(_dimensions(variant.dimensions)))
    yield Section("Worth knowing", points=variant.notes)
    numbers = {key: f"[{place}]" for place, key in enumerate(shown.sources, 1)}
    yield Section("Scores", table=_scores(variant, numbers), right=(1,))
    yield Section("Sources", facts=tuple(_sources(variant, shown.sources, numbers)))


def prompt_section(example: PromptExample | None, name: str) -> Section:
    """A prompt format shown on an example, its special tokens marked."""
    if example is None:
        return Section("Prompt format", points=("the chat template that the file carries",))
    marked = tuple((spelled(segment), isinstance(segment, Special)) for segment in example.segments)
    return Section(f"Prompt format {name}, on an example", marked=marked)


def _facts(variant: Variant) -> Iterator[tuple[str, str]]:
    active = f", {format_count(variant.active_parameters)} active" if variant.active_parameters else ""
    original = variant.original_context_tokens
    longer = f"; LongRoPE changes its factors beyond {original:,}" if original else ""
    yield "family", variant.family + (f", released {variant.release}" if variant.release else "")
    yield "parameters", f"{format_count(variant.parameters)}{active}"
    yield "context", f"{format_tokens(variant.context_tokens)} ({variant.context_tokens:,} tokens{longer})"
    several = {
        "main strength": variant.strength,
        "best use": variant.best_use,
        "capabilities": ", ".join(variant.capabilities),
        "languages": ", ".join(variant.languages),
        "licence": variant.license,
        "runs on": variant.runs_on if variant.runs_here else "",
        "architecture": variant.architecture or "",
        "weights": variant.repo or "",
        "also called": ", ".join(variant.aliases),
    }
    yield from ((label, value) for label, value in several.items() if value)


def _elsewhere(variant: Variant) -> Iterator[tuple[str, str]]:
    yield "why", variant.why_not or "no GGUF engine supports it"
    yield "runs on", variant.runs_on


def _packaged(shown: VariantDescription) -> Iterator[tuple[str, str]]:
    path = shown.packaged_path
    if path is not None:
        yield "F16", f"{format_bytes(path.stat().st_size)}, comes with phi"
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
    name = f"{variant.id}:{shown.quant.lower()}" if shown.quant else variant.id
    command = f"phi pull {name} --dry-run"
    for source in variant.sources:
        files = [file for file in shown.published if file.repo == source.repo]
        if shown.published and not files and shown.quant:
            continue  # another repository has what was asked for
        points = [source.note] if source.note else []
        if not files:
            points.append(f"the hub has the list of its files: {command}")
        elif any(file.size_bytes is None for file in files):
            points.append(f"the hub knows all sizes: {command}")
        rows = tuple((file.quant, _size(file), file.filename) for file in files)
        yield Section(
            f"To download from {source.repo}",
            table=(("quant", "size", "file"), *rows) if rows else (),
            right=(1,),
            points=tuple(points),
        )
    if variant.runs_here and not variant.sources and variant.packaged_file is None:
        yield Section("To download", points=("no GGUF file is known; with one of your own: phi chat FILE.gguf",))


def _size(file: PublishedFile) -> str:
    if file.size_bytes is None:
        return "?"
    return format_bytes(file.size_bytes) if file.size_is_exact else format_about(file.size_bytes)


def _answers(variant: Variant, example: PromptExample | None) -> Iterator[tuple[str, str]]:
    stops = variant.stop_tokens or (example.stop_tokens if example else ())
    if stops:
        yield "stop tokens", " ".join(stops)
    if example and example.stop_strings:
        yield "stop texts", " ".join(map(repr, example.stop_strings))
    if variant.sampling:
        yield "sampling", _sampling(variant.sampling)
    if variant.reasoning:
        yield "reasoning", "<think>…</think> before the answer"
    if variant.system_prompt:
        yield "system prompt", variant.system_prompt


def _sampling(sampling: SamplingDefaults) -> str:
    values = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
    }
    return ", ".join(f"{name} {value:g}" for name, value in values.items() if value is not None)


def _dimensions(size: Dimensions) -> Iterator[tuple[str, str]]:
    yield "layers", str(size.layers)
    yield "attention heads", f"{size.heads} of {size.head_size}, {size.kv_heads} for keys and values"
    yield "hidden", f"{size.hidden:,}" + (f", feed-forward {size.feed_forward:,}" if size.feed_forward else "")
    yield "vocabulary", f"{size.vocabulary:,}, {'tied' if size.tied else 'not tied'} to the output"
    if size.experts:
        yield "experts", f"{size.experts}, {size.experts_used} used for a token"


def _scores(variant: Variant, numbers: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    if not variant.scores:
        return ()
    rows = ((s.benchmark, f"{s.value:g}", numbers[s.source], s.note or "") for s in variant.scores)
    return (("benchmark", "score", "source", "note"), *rows)


def _sources(variant: Variant, sources: Mapping[str, str], numbers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Number → what the source is, and which facts come from it."""
    for key, what in sources.items():
        groups = [group for group, source in variant.provenance.items() if source == key]
        groups += ["files"] * any(source.source == key for source in variant.sources)
        yield numbers[key], what + (f" ({', '.join(groups)})" if groups else "")
