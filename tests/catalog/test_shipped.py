"""What the shipped catalogue says, against the code that relies on it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import phicli
from phicli.catalog import load
from phicli.catalog.load import catalog
from phicli.catalog.parse import parse
from phicli.catalog.types import CAPABILITIES, Variant
from phicli.chat_format import format_by_name
from phicli.errors import IntegrityError
from phicli.gguf_file.header import read_header
from tests.support.catalog_check import check

RUNNABLE = {
    "tiny-phi", "phi-1", "phi-1.5", "phi-2", "phi-3-mini-4k", "phi-3-mini-128k", "phi-3-medium-4k", "phi-3-medium-128k",
    "phi-3.5-mini", "phi-3.5-moe", "phi-4", "phi-4-mini", "phi-4-reasoning", "phi-4-reasoning-plus",
    "phi-4-mini-reasoning", "phi-4-reasoning-vision",
}  # fmt: skip
NOT_RUNNABLE = {
    "phi-3-small-8k", "phi-3-small-128k", "phi-silica", "phi-3-vision", "phi-3.5-vision", "phi-4-multimodal",
    "phi-4-mini-flash-reasoning", "phi-mini-moe", "phi-tiny-moe",
}  # fmt: skip
LONGROPE = {"phi-3-mini-128k", "phi-3-medium-128k", "phi-3.5-mini", "phi-3.5-moe", "phi-4-mini", "phi-4-mini-reasoning"}
CATALOG = Path(phicli.__file__).parent / "catalog" / "catalog.toml"
BOOK = {variant.id: variant for variant in catalog().variants}
HERE = [variant for variant in catalog().variants if variant.runs_here]


def test_it_is_consistent() -> None:
    check(catalog())


def test_the_family_is_complete() -> None:
    assert {variant.id for variant in HERE} == RUNNABLE
    assert {variant.id for variant in catalog().variants if not variant.runs_here} == NOT_RUNNABLE


def test_reasoning_models_have_their_prompt_and_sampling() -> None:
    for name in ("phi-4-reasoning", "phi-4-reasoning-plus", "phi-4-mini-reasoning"):
        variant = BOOK[name]
        assert variant.reasoning
        assert variant.sampling is not None
        assert (variant.sampling.temperature, variant.sampling.top_p) == (0.8, 0.95)
        assert variant.system_prompt
    assert BOOK["phi-4-mini-reasoning"].system_prompt == "Your name is Phi, an AI math expert developed by Microsoft."
    plus = BOOK["phi-4-reasoning-plus"].system_prompt or ""
    assert plus.startswith("You are Phi, a language model trained by Microsoft to help users.")
    assert plus.endswith("through the above guidelines:")
    assert "<think> {Thought section} </think> {Solution section}" in plus
    vision = BOOK["phi-4-reasoning-vision"].system_prompt or ""
    assert vision.startswith("You are Phi, a multimodal model trained by Microsoft to help users.  Your role")
    assert vision.endswith("\n\nNow, try to solve the following question through the above guidelines:")
    assert BOOK["tiny-phi"].sampling is not None
    assert BOOK["tiny-phi"].sampling.temperature == 0


def test_base_models_are_sampled_as_in_their_cards() -> None:
    sampled = {name: BOOK[name].sampling for name in ("phi-1", "phi-1.5", "phi-2")}
    values = {name: (found.temperature, found.top_p) for name, found in sampled.items() if found}
    assert values == {"phi-1": (0.6, 0.9), "phi-1.5": (0.6, 0.9), "phi-2": (0.1, 0.1)}


def test_the_original_context_is_given_where_the_model_has_two() -> None:
    long = {v.id: v.original_context_tokens for v in catalog().variants if v.original_context_tokens}
    assert long == {"tiny-phi": 256} | dict.fromkeys(LONGROPE, 4096)
    assert {name for name in LONGROPE if any("LongRoPE" in note for note in BOOK[name].notes)} == LONGROPE


@pytest.mark.parametrize("variant", HERE, ids=lambda variant: variant.id)
def test_stop_tokens_are_those_of_the_prompt_format(variant: Variant) -> None:
    prompt_format = format_by_name(variant.prompt_format or "", reasoning=variant.reasoning)
    assert variant.stop_tokens == prompt_format.stop_tokens


def test_who_needs_much_cache_for_a_full_context_is_told_how_much() -> None:
    """A cache of float16 keys and values; from 5 GiB on there is a note."""
    told = {}
    needed = {}
    for variant in HERE:
        shape = variant.dimensions
        assert shape is not None
        cache_gib = variant.context_tokens * shape.layers * shape.kv_heads * shape.head_size * 2 * 2 / 2**30
        if cache_gib >= 5:
            needed[variant.id] = (f"{variant.context_tokens:,}", f"{cache_gib:g}")
        for note in variant.notes:
            if match := re.search(r"full context of ([\d,]+) tokens costs ([\d.]+) GiB", note):
                told[variant.id] = (match[1], match[2])
    assert told == needed
    assert len(told) == 8


def test_tiny_phi_is_the_file_that_ships() -> None:
    tiny = BOOK["tiny-phi"]
    header = read_header(Path(phicli.__file__).parent / "data" / (tiny.packaged_file or ""))
    shape = tiny.dimensions
    assert shape is not None
    assert header.vocabulary is not None
    assert (header.architecture, header.context_length) == (tiny.architecture, tiny.context_tokens)
    assert header.original_context_length == tiny.original_context_tokens
    assert (header.block_count, header.embedding_length, header.vocabulary.size) == (
        shape.layers, shape.hidden, shape.vocabulary,
    )  # fmt: skip
    assert (header.head_counts, header.kv_head_counts) == ((shape.heads,), (shape.kv_heads,))
    assert (header.key_length, header.feed_forward_lengths) == (shape.head_size, (shape.feed_forward,))
    assert (header.tensor("output.weight") is None) is shape.tied


def test_every_capability_is_somebodys() -> None:
    able = {name: {v.id for v in catalog().variants if name in v.capabilities} for name in CAPABILITIES}
    assert all(able.values())
    assert able["tools"] == {"tiny-phi", "phi-4-mini", "phi-4-multimodal"}
    assert able["audio"] == {"phi-4-multimodal"}
    assert able["vision"] == {"phi-3-vision", "phi-3.5-vision", "phi-4-multimodal", "phi-4-reasoning-vision"}
    assert able["multilingual"] == {"phi-3.5-mini", "phi-3.5-moe", "phi-4-mini", "phi-4-multimodal"}
    assert all(len(BOOK[name].languages) == 23 for name in able["multilingual"])


def test_tools_go_where_a_format_has_a_place_for_them() -> None:
    assert {v.id for v in HERE if "tools" in v.capabilities} <= {v.id for v in HERE if v.prompt_format == "phi-4-mini"}


def test_the_comparison_matrix() -> None:
    rows = {
        "phi-3-mini-4k": ("general efficiency", "mobile apps, basic chatbots"),
        "phi-3.5-mini": ("multilingual", "international applications"),
        "phi-4-mini": ("improved reasoning, tool calls", "business automation"),
        "phi-4-mini-reasoning": ("mathematical reasoning", "educational platforms"),
        "phi-4": ("complex reasoning", "research, advanced analysis"),
        "phi-4-reasoning": ("multi-step reasoning", "scientific computing"),
        "phi-4-reasoning-plus": ("highest reasoning accuracy", "critical decisions"),
        "phi-4-multimodal": ("speech, vision, text", "multimedia applications"),
    }
    assert {name: (BOOK[name].strength, BOOK[name].best_use) for name in rows} == rows


def test_what_no_source_supports_is_not_in_it() -> None:
    scores = {(v.id, score.benchmark) for v in catalog().variants for score in v.scores}
    assert ("phi-4", "MATH") in scores
    assert not scores & {("phi-4", "AIME 2025"), ("phi-4", "MMLU-Pro"), ("phi-1.5", "MMLU"), ("phi-3.5-mini", "MMLU")}
    assert BOOK["phi-4"].context_tokens == 16_384
    assert BOOK["phi-1.5"].release is None


def test_files_with_a_trap_come_last_or_say_so() -> None:
    first = {name: BOOK[name].sources[0].repo for name in ("phi-3-mini-4k", "phi-4")}
    assert first == {"phi-3-mini-4k": "bartowski/Phi-3.1-mini-4k-instruct-GGUF", "phi-4": "bartowski/phi-4-GGUF"}
    other = {(v.id, s.repo) for v in catalog().variants for s in v.sources if s.architecture}
    assert other == {("phi-4", "unsloth/phi-4-GGUF")}
    for name, repo in (("phi-4", "microsoft/phi-4-gguf"), ("phi-3-mini-4k", "microsoft/Phi-3-mini-4k-instruct-gguf")):
        assert next(source for source in BOOK[name].sources if source.repo == repo).note


def test_references_speak_of_what_everybody_can_reach() -> None:
    for text in catalog().references.values():
        assert not re.search(r"shared|crawl|/work|/tmp", text), text


def test_the_copy_that_is_read_is_what_the_file_says() -> None:
    """Written by ``.ci/generate.py``."""
    assert catalog() == parse(CATALOG.read_text("utf-8"))


def test_a_damaged_copy_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "catalog.json").write_text('{"schema": 1, "vari')
    monkeypatch.setattr(load, "__file__", str(tmp_path / "load.py"))
    with pytest.raises(IntegrityError, match=r"its copy catalog\.json cannot be read"):
        catalog.__wrapped__()
