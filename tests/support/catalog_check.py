"""Refuses a catalogue that contradicts itself or does not say where its facts come from.

Tests run this on the shipped file; the product does not check it again while loading.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import date
from typing import Final

from phicli.catalog.names import squash
from phicli.catalog.parse import bad
from phicli.catalog.types import (
    CAPABILITIES,
    FACT_GROUPS,
    PROMPT_FORMATS,
    Catalog,
    SamplingDefaults,
    Variant,
)
from tests.support.catalog_files_check import ARCHITECTURES, check_files, source_mistakes

_CAPABILITY: Final = re.compile("|".join(CAPABILITIES))
_LANGUAGE: Final = re.compile(r"[a-z]{2}")
_SPECIAL_TOKEN: Final = re.compile(r"<\|?\w+\|?>")
_RELEASE: Final = re.compile(r"\d{4}-\d{2}(-\d{2})?")
_LLAMA_CPP: Final = "llama.cpp"


def check(catalog: Catalog) -> None:
    """Return if ``catalog`` is consistent.

    Raises:
        IntegrityError: it is not; the message names the variant and the key.
    """
    for variant in catalog.variants:
        where = f"variant {variant.id}"
        for what in _mistakes(variant, catalog):
            raise bad(where, what)
    _check_names(catalog)
    check_files(catalog)
    used = set(_used_references(catalog))
    for key in catalog.references:
        if key not in used:
            raise bad("the file", f"references.{key} is not used")


def _mistakes(variant: Variant, catalog: Catalog) -> Iterator[str]:
    yield from _numbers(variant)
    yield from _dimensions(variant)
    yield from _words(variant)
    yield from _capabilities(variant)
    yield from _runnable(variant) if variant.runs_here else _not_runnable(variant)
    yield from _provenance(variant, catalog)
    for source in variant.sources:
        yield from source_mistakes(source, variant, catalog)


def _numbers(variant: Variant) -> Iterator[str]:
    for key in ("parameters", "active_parameters", "context_tokens", "original_context_tokens"):
        value = getattr(variant, key)
        if value is not None and value <= 0:
            yield f"{key} = {value} is out of range"
    if (variant.active_parameters or 0) > variant.parameters:
        yield "active_parameters is out of range: more than parameters"
    if (variant.original_context_tokens or 0) > variant.context_tokens:
        yield "original_context_tokens is out of range: more than context_tokens"
    sampling = variant.sampling or SamplingDefaults()
    for key in ("temperature", "top_k"):
        if (getattr(sampling, key) or 0) < 0:
            yield f"sampling.{key} is out of range"
    for key in ("top_p", "min_p"):
        share = getattr(sampling, key)
        if share is not None and not 0 <= share <= 1:
            yield f"sampling.{key} = {share} is out of range"


def _dimensions(variant: Variant) -> Iterator[str]:
    shape = variant.dimensions
    if shape is None:
        return
    for key in ("layers", "heads", "kv_heads", "head_size", "hidden", "vocabulary", "feed_forward"):
        value = getattr(shape, key)
        if value is not None and value <= 0:
            yield f"dimensions.{key} = {value} is out of range"
            return
    if shape.heads % shape.kv_heads:
        yield f"dimensions.kv_heads = {shape.kv_heads} does not divide heads"
    if not 0 <= shape.experts_used <= shape.experts or (shape.experts > 0) != (shape.experts_used > 0):
        yield f"dimensions.experts_used = {shape.experts_used} does not go with {shape.experts} experts"
    if (shape.experts > 0) != (variant.active_parameters is not None):
        yield "dimensions.experts and active_parameters: a mixture has both, others have none"


def _words(variant: Variant) -> Iterator[str]:
    for key in ("strength", "best_use"):
        if not getattr(variant, key):
            yield f"the key {key} is missing"
    for key, pattern in (("languages", _LANGUAGE), ("stop_tokens", _SPECIAL_TOKEN), ("capabilities", _CAPABILITY)):
        values = getattr(variant, key)
        if len(set(values)) != len(values):
            yield f"{key}: something twice"
        for value in values:
            if not pattern.fullmatch(value):
                yield f"{key}: {value!r} is not known"
    if variant.release is not None and not _is_date(variant.release):
        yield f"release = {variant.release!r} is not a date such as 2025-02 or 2025-02-26"


def _capabilities(variant: Variant) -> Iterator[str]:
    if ("reasoning" in variant.capabilities) != variant.reasoning:
        yield "capabilities and reasoning do not agree"
    if ("multilingual" in variant.capabilities) != (len(variant.languages) > 1):
        yield "capabilities and languages do not agree on multilingual"


def _runnable(variant: Variant) -> Iterator[str]:
    if variant.architecture not in ARCHITECTURES:
        yield f"architecture = {variant.architecture!r} is not one of {', '.join(ARCHITECTURES)}"
    if variant.prompt_format not in PROMPT_FORMATS:
        yield f"prompt_format = {variant.prompt_format!r} is not one of {', '.join(PROMPT_FORMATS)}"
    for key in ("sampling", "stop_tokens", "dimensions"):
        if not getattr(variant, key):
            yield f"the key {key} is missing, and it runs here"
    if variant.dimensions and variant.dimensions.feed_forward is None:
        yield "the key dimensions.feed_forward is missing, and it runs here"
    if variant.why_not is not None or variant.runs_on != _LLAMA_CPP:
        yield f"why_not and runs_on: it runs here, so runs_on is {_LLAMA_CPP} and why_not is left out"
    if variant.packaged_file is None and variant.repo is None:
        yield "the key repo is missing"


def _not_runnable(variant: Variant) -> Iterator[str]:
    for key in ("prompt_format", "sampling", "stop_tokens", "system_prompt", "packaged_file"):
        if getattr(variant, key):
            yield f"{key} for a model that llama.cpp cannot run (it has no architecture)"
    if variant.sources:
        yield "gguf for a model that llama.cpp cannot run (it has no architecture)"
    if variant.why_not is None:
        yield "the key why_not is missing: llama.cpp cannot run it (it has no architecture)"
    if variant.runs_on == _LLAMA_CPP:
        yield f"runs_on = {_LLAMA_CPP} for a model that llama.cpp cannot run (it has no architecture)"


def _provenance(variant: Variant, catalog: Catalog) -> Iterator[str]:
    known = ["license", "context", "strength", "runs_on"]
    known += [key for key in ("release", "languages", "dimensions", "system_prompt") if getattr(variant, key)]
    for group in known:
        if group not in variant.provenance:
            yield f"provenance.{group} is missing"
    for group, source in variant.provenance.items():
        if group not in FACT_GROUPS:
            yield f"provenance.{group} is not one of {', '.join(FACT_GROUPS)}"
        elif group not in known and group != "sampling":
            yield f"provenance.{group}: there is no such fact"
        if source not in catalog.references:
            yield f"provenance.{group} = {source!r} is not in [references]"
    for score in variant.scores:
        if score.source not in catalog.references:
            yield f"scores.{score.source} is not in [references]"
        if not (math.isfinite(score.value) and 0 < score.value <= 100):
            yield f"scores.{score.source}.{score.benchmark} = {score.value} is out of range"


def _check_names(catalog: Catalog) -> None:
    owner: dict[str, str] = {}
    ids = [variant.id for variant in catalog.variants]
    for variant in catalog.variants:
        where = f"variant {variant.id}"
        if ids.count(variant.id) > 1:
            raise bad(where, f"id = {variant.id} twice")
        for key, names in (("id", [variant.id]), ("aliases", variant.aliases)):
            for name in names:
                if not squash(name):
                    raise bad(where, f"{key}: {name!r} is no name")
                if squash(name) in owner:
                    raise bad(where, f"{key}: the name {name} belongs to {owner[squash(name)]} already")
                owner[squash(name)] = variant.id


def _used_references(catalog: Catalog) -> Iterator[str]:
    for variant in catalog.variants:
        yield from variant.provenance.values()
        yield from (score.source for score in variant.scores)
        yield from (source.source for source in variant.sources)


def _is_date(text: str) -> bool:
    if not _RELEASE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text if len(text) > 7 else f"{text}-01")
    except ValueError:
        return False
    return True
