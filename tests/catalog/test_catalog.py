from __future__ import annotations

import pytest

from phicli.catalog.load import catalog, parse
from phicli.catalog.names import squash
from phicli.catalog.types import Catalog
from phicli.errors import IntegrityError

RUNNABLE = {
    "tiny-phi", "phi-1", "phi-1.5", "phi-2", "phi-3-mini-4k", "phi-3-mini-128k", "phi-3-medium-4k", "phi-3-medium-128k",
    "phi-3.5-mini", "phi-3.5-moe", "phi-4", "phi-4-mini", "phi-4-reasoning", "phi-4-reasoning-plus",
    "phi-4-mini-reasoning",
}  # fmt: skip
NOT_RUNNABLE = {
    "phi-3-small-8k", "phi-3-small-128k", "phi-silica", "phi-3-vision", "phi-3.5-vision", "phi-4-multimodal",
    "phi-4-mini-flash-reasoning", "phi-tiny-moe",
}  # fmt: skip

SMALL = """
schema = 1
[[variant]]
id = "a"
family = "f"
title = "t"
parameters = 10
context_tokens = 8
license = "MIT"
architecture = "phi3"
prompt_format = "phi-3"
sampling = { temperature = 0 }
runs_on = "llama.cpp"
"""


def test_who_runs_here() -> None:
    assert {variant.id for variant in catalog().variants if variant.runs_here} == RUNNABLE
    assert {variant.id for variant in catalog().variants if not variant.runs_here} == NOT_RUNNABLE
    assert all(variant.runs_on != "llama.cpp" for variant in catalog().variants if not variant.runs_here)


def test_reasoning_models_have_their_prompt_and_sampling() -> None:
    book = {variant.id: variant for variant in catalog().variants}
    for name in ("phi-4-reasoning", "phi-4-reasoning-plus", "phi-4-mini-reasoning"):
        variant = book[name]
        assert variant.reasoning
        assert variant.sampling is not None
        assert (variant.sampling.temperature, variant.sampling.top_p) == (0.8, 0.95)
        assert variant.system_prompt
    assert book["phi-4-mini-reasoning"].system_prompt == "Your name is Phi, an AI math expert developed by Microsoft."
    plus = book["phi-4-reasoning-plus"].system_prompt or ""
    assert plus.startswith("You are Phi, a language model trained by Microsoft to help users.")
    assert plus.endswith("through the above guidelines:")
    assert "<think> {Thought section} </think> {Solution section}" in plus
    assert book["tiny-phi"].sampling is not None
    assert book["tiny-phi"].sampling.temperature == 0


def test_the_original_context_is_given_where_the_model_has_two() -> None:
    long = {v.id: v.original_context_tokens for v in catalog().variants if v.original_context_tokens}
    assert long.pop("tiny-phi") == 256
    assert set(long.values()) == {4096}
    assert {"phi-4-mini", "phi-3.5-mini", "phi-3-mini-128k", "phi-4-mini-reasoning"} <= set(long)


def test_bits_per_weight_of_the_listed_sizes_are_possible() -> None:
    bits = {"Q2_K": 3.2, "Q3_K_M": 4.0, "IQ4_XS": 4.6, "Q4_K_M": 5.0, "Q5_K_M": 5.8, "Q6_K": 6.7, "Q8_0": 8.6}
    for variant in catalog().variants:
        sized = [file for source in variant.sources for file in source.files if file.size_bytes]
        for file in sized:
            expected = variant.parameters * bits.get(file.quant, 3.4) / 8
            assert file.size_bytes is not None
            assert 0.9 < file.size_bytes / expected < 1.2, (variant.id, file)


def test_a_small_catalogue() -> None:
    (variant,) = parse(SMALL).variants
    assert (variant.id, variant.aliases, variant.quants, variant.runs_here) == ("a", (), (), True)


GGUF = '[[variant.gguf]]\nrepo = "o/r"\nfiles = [{ quant = "Q8_0", filename = "a.gguf"%s }]'


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: "x = = 1", "catalog.toml"),
        (lambda text: text.replace("schema = 1", "schema = 2"), "schema"),
        (lambda text: "colour = 1" + text, "unknown key colour"),
        (lambda text: text + 'colour = "red"', "unknown key colour"),
        (lambda text: text + "sources = []", "unknown key sources"),
        (lambda text: text.replace("{ temperature = 0 }", "{ temprature = 0 }"), "temprature"),
        (lambda text: text.replace("{ temperature = 0 }", "{ temperature = -1 }"), "range"),
        (lambda text: text.replace("{ temperature = 0 }", "{ top_p = 1.5 }"), "range"),
        (lambda text: text.replace("parameters = 10", 'parameters = "10"'), "parameters"),
        (lambda text: text.replace("parameters = 10", "parameters = true"), "parameters"),
        (lambda text: text.replace('license = "MIT"\n', ""), "license"),
        (lambda text: text.replace('"phi-3"', '"phi-9"'), "phi-9"),
        (lambda text: text.replace('architecture = "phi3"\n', ""), "cannot run"),
        (lambda text: text + 'system_prompt = "none"', "system prompt"),
        (lambda text: text + "original_context_tokens = 9", "range"),
        (lambda text: text + 'aliases = ["A"]', "alias"),
        (lambda text: text + text.replace("schema = 1", "").replace('"a"', '"b"') + 'aliases = ["_A"]', "already"),
        (lambda text: text + text.replace("schema = 1", ""), "twice"),
        (lambda text: text + GGUF.replace("o/r", "r") % "", "owner/name"),
        (lambda text: text + GGUF.replace("Q8_0", "q8_0") % "", "written"),
        (lambda text: text + GGUF % ', sha256 = "ab"', "sha256"),
        (lambda text: text + GGUF % ", size_bytes = 0", "size"),
        (lambda text: text + GGUF % ", size = 5", "unknown key size"),
    ],
)
def test_what_contradicts_itself_is_refused(change, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(IntegrityError, match=words):
        parse(change(SMALL))


def test_squashed_names() -> None:
    assert squash("Phi_4-MINI") == squash("phi4mini") == squash("phi 4.mini")
    assert isinstance(catalog(), Catalog)
    assert catalog() is catalog()
