from __future__ import annotations

import pytest

from phicli.catalog.load import catalog
from phicli.catalog.resolve import require_runnable, resolve
from phicli.errors import NotFoundError, UnsupportedModelError


@pytest.mark.parametrize(
    ("typed", "expected", "quant"),
    [
        ("phi-4-mini", "phi-4-mini", None),
        ("PHI-4-Mini:q4_k_m", "phi-4-mini", "Q4_K_M"),
        ("phi-4-mini:Q4-K-M", "phi-4-mini", "Q4_K_M"),
        ("phi-4-mini:bf16", "phi-4-mini", "BF16"),
        ("phi-4-mini:fp16", "phi-4-mini", "F16"),
        ("phi-4-mini:q4", "phi-4-mini", "Q4_K_M"),
        ("phi-4-mini:q8", "phi-4-mini", "Q8_0"),
        ("phi-2:ud-q4_k_xl", "phi-2", "UD-Q4_K_XL"),
        ("phi-4-mini-instruct", "phi-4-mini", None),
        ("microsoft/Phi-4-mini-instruct", "phi-4-mini", None),
        ("phi4", "phi-4", None),
        ("phi-1_5", "phi-1.5", None),
        ("phi-3-mini", "phi-3-mini-4k", None),
        ("phi-3-mini-4k-instruct", "phi-3-mini-4k", None),
        ("phi-3-small", "phi-3-small-8k", None),
        ("phi-3.5-moe-instruct", "phi-3.5-moe", None),
        ("tiny-phi", "tiny-phi", None),
        ("tiny-phi:f16", "tiny-phi", "F16"),
        ("phi3-mini", "phi-3-mini-4k", None),
        ("phi-3.1-mini", "phi-3-mini-4k", None),
        ("phi-3.1-mini-128k-instruct", "phi-3-mini-128k", None),
        ("phi-3.5", "phi-3.5-mini", None),
        ("phi-4-mm", "phi-4-multimodal", None),
        ("phi-4-multimodal-instruct", "phi-4-multimodal", None),
        ("phi-4-reasoning-vision", "phi-4-reasoning-vision", None),
        ("Phi-4-reasoning-vision-15B", "phi-4-reasoning-vision", None),
        ("phi-mini-moe-instruct", "phi-mini-moe", None),
    ],
)
def test_names_that_people_type(typed: str, expected: str, quant: str | None) -> None:
    selection = resolve(typed)
    assert (selection.variant.id, selection.quant) == (expected, quant)


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("phi-4-minni", "did you mean phi-4-mini"),
        ("phi-3-m", "did you mean phi-3-mini-4k, "),
        ("phi3m", "Try: phi chat phi-3-mini-4k,"),
        ("phi-3.1", "did you mean phi-3-mini-4k, "),
        ("phi-4-m", "did you mean phi-4-mini, phi-4-mini-reasoning or phi-4? Try:"),
        ("phi-4-multimodel", "did you mean phi-4-multimodal? It cannot run here; see: phi show phi-4-multimodal;"),
        ("ph-4-reasonin", "phi chat phi-4-reasoning"),
        ("llama-3-8b", "phi chat tiny-phi"),
        ("", "phi chat tiny-phi"),
        (":", "phi chat tiny-phi"),
        ("phi-4-mini:q4_k_n_", "phi chat phi-4-mini:q4_k_m"),
        ("phi-4-mini:", "phi chat phi-4-mini:q4_k_m"),
        ("phi-4-mini:7b", "it has Q2_K"),
        ("tiny-phi:q4_k_m", "phi chat tiny-phi"),
        ("tiny-phi:q8_0", "the only one is F16"),
        ("tiny-phi:", "the only one is F16"),
        ("phi-4-minni", "phi list"),
        ("llama-3-8b", "phi list"),
        ("phi-4-mini:7b", "phi show phi-4-mini"),
        ("tiny-phi:q4_k_m", "phi show tiny-phi"),
        ("phi-1:q4_k_m", "phi show phi-1"),
        ("phi-silica:q4_k_m", "phi show phi-silica"),
    ],
)
def test_what_does_not_exist_gets_a_proposal(typed: str, hint: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        resolve(typed)
    assert hint in caught.value.hint_for("chat")


def test_every_name_in_the_catalogue_resolves_to_its_owner() -> None:
    for variant in catalog().variants:
        for name in (variant.id, *variant.aliases, *([variant.repo] if variant.repo else [])):
            assert resolve(name).variant is variant, name


def test_what_cannot_run_here_says_what_can() -> None:
    for variant in catalog().variants:
        if variant.runs_here:
            require_runnable(variant)
            continue
        with pytest.raises(UnsupportedModelError) as caught:
            require_runnable(variant)
        assert variant.runs_on in caught.value.message
        assert str(variant.why_not) in caught.value.message
        assert f"phi show {variant.id}" in caught.value.hint
        assert caught.value.exit_code == 6
        require_runnable(resolve(caught.value.hint.split()[-1]).variant)


@pytest.mark.parametrize(
    ("command", "shown"),
    [("show", "phi show"), ("pull", "phi pull"), ("bench", "phi bench"), ("batch", "phi batch IN"), ("rm", "phi chat")],
)
def test_a_typing_error_is_answered_with_the_command_that_was_typed(command: str, shown: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        resolve("phi-4-m")
    assert f"Try: {shown} phi-4-mini," in caught.value.hint_for(command)
