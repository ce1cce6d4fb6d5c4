"""The names of Ollama's library."""

from __future__ import annotations

import pytest

from phicli.catalog.load import catalog
from phicli.catalog.ollama_tags import from_ollama
from phicli.catalog.resolve import resolve
from phicli.errors import NotFoundError


@pytest.mark.parametrize(
    ("typed", "variant", "quant"),
    [
        ("phi", "phi-2", None),
        ("phi:latest", "phi-2", None),
        ("phi:2.7b-chat-v2-q4_0", "phi-2", "Q4_0"),
        ("phi3", "phi-3-mini-4k", None),
        ("phi-3", "phi-3-mini-4k", None),
        ("phi3:latest", "phi-3-mini-4k", None),
        ("phi3:mini", "phi-3-mini-4k", None),
        ("PHI3:Mini", "phi-3-mini-4k", None),
        ("phi3:3.8b", "phi-3-mini-4k", None),
        ("phi3:instruct", "phi-3-mini-4k", None),
        ("phi3:mini-128k", "phi-3-mini-128k", None),
        ("phi3:3.8b-mini-128k-instruct-q4_K_M", "phi-3-mini-128k", "Q4_K_M"),
        ("phi3:14b", "phi-3-medium-4k", None),
        ("phi3:medium", "phi-3-medium-4k", None),
        ("phi3:14b-medium-128k-instruct-fp16", "phi-3-medium-128k", "F16"),
        ("phi3:q4_0", "phi-3-mini-4k", "Q4_0"),
        ("phi3.5", "phi-3.5-mini", None),
        ("phi3.5:3.8b-mini-instruct-q8_0", "phi-3.5-mini", "Q8_0"),
        ("phi4", "phi-4", None),
        ("phi4:14b", "phi-4", None),
        ("phi4:14b-q8_0", "phi-4", "Q8_0"),
        ("phi4-mini:3.8b", "phi-4-mini", None),
        ("phi4-mini:latest", "phi-4-mini", None),
        ("phi4-mini:3.8b-fp16", "phi-4-mini", "F16"),
        ("phi4-mini:q4_k_m", "phi-4-mini", "Q4_K_M"),
        ("phi4-reasoning", "phi-4-reasoning", None),
        ("phi4-reasoning:14b", "phi-4-reasoning", None),
        ("phi4-reasoning:plus", "phi-4-reasoning-plus", None),
        ("phi4-reasoning:14b-plus-q4_K_M", "phi-4-reasoning-plus", "Q4_K_M"),
        ("phi4-mini-reasoning:3.8b", "phi-4-mini-reasoning", None),
        ("ollama.com/library/phi4-mini:3.8b", "phi-4-mini", None),
        ("https://ollama.com/library/phi4", "phi-4", None),
    ],
)
def test_a_name_of_the_library_is_a_variant(typed: str, variant: str, quant: str | None) -> None:
    selection = resolve(typed)
    assert (selection.variant.id, selection.quant) == (variant, quant)
    assert from_ollama(from_ollama(typed)) == from_ollama(typed)


@pytest.mark.parametrize("typed", ["phi4-mini:7b", "phi3:vision", "phi4-reasoning:mini", "phi3:", "qwen3:4b", "phi5"])
def test_a_tag_that_the_library_does_not_have_is_not_guessed(typed: str) -> None:
    with pytest.raises(NotFoundError):
        resolve(typed)


def test_names_of_the_catalog_stay_as_they_were_typed() -> None:
    for variant in catalog().variants:
        for name in (variant.id, f"{variant.id}:Q4_K_M", f"{variant.id}:q4-k-m", f"{variant.id}:q4"):
            assert from_ollama(name) == name
            assert variant.repo is None or from_ollama(variant.repo) == variant.repo
