"""Which prompt format a file wants."""

from __future__ import annotations

from dataclasses import replace

import pytest

from phicli.catalog.resolve import known_by_name, resolve
from phicli.errors import NotFoundError
from phicli.gguf_file.header import read_header
from phicli.gguf_file.types import GgufHeader, SpecialToken, Vocabulary
from phicli.plan.identify import FormatChoice, choose_format
from phicli.plan.locate import locate
from tests.plan.test_plan_load import TINY_PHI

PHI_TAGS = ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>")


def stranger(*literals: str, model: str = "gpt2", **changes: object) -> GgufHeader:
    """A header that the catalogue does not know."""
    vocabulary = Vocabulary(
        model=model,
        pre=None,
        size=100,
        special_tokens={index: SpecialToken(literal, 3) for index, literal in enumerate(literals)},
        bos_id=None,
        eos_id=None,
        eot_id=None,
        add_bos=None,
        merges=0,
    )
    return replace(read_header(TINY_PHI), vocabulary=vocabulary, name="stranger", **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (stranger("<|im_start|>", "<|im_sep|>", "<|im_end|>"), "phi-4"),
        (stranger(*PHI_TAGS), "phi-4-mini"),
        (stranger(*PHI_TAGS, model="llama", chat_template="… system …"), "phi-3"),
        (stranger(*PHI_TAGS, model="llama", chat_template="only user and assistant"), "phi-3-folded"),
        (stranger(*PHI_TAGS, model="llama", architecture="llama", chat_template="system"), "phi-3"),
        (stranger(architecture="phi2", chat_template=None), "completion-qa"),
        (stranger("<|im_start|>", architecture="qwen2", chat_template="x"), "template"),
        (stranger(architecture="llama", chat_template="x"), "template"),
        (stranger(architecture="llama", chat_template=None), "plain"),
    ],
)
def test_the_format_of_a_file_that_the_catalogue_does_not_know(header: GgufHeader, name: str) -> None:
    assert choose_format(header, None).name == name


def test_the_catalogue_decides_where_it_knows_the_file() -> None:
    variant = resolve("phi-4-mini-reasoning").variant
    assert choose_format(stranger(), variant) == FormatChoice("phi-4-mini", reasoning=True, always_reasons=True)


def test_only_models_that_reason_before_each_answer_always_reason() -> None:
    """Text of others streams at once: they answer some questions directly."""
    assert choose_format(stranger(), resolve("tiny-phi").variant) == FormatChoice("phi-4-mini", reasoning=True)
    vision = resolve("phi-4-reasoning-vision").variant
    assert choose_format(stranger(), vision) == FormatChoice("phi-4", reasoning=True)
    assert choose_format(stranger(), resolve("phi-4").variant) == FormatChoice("phi-4", reasoning=False)
    for name in ("Phi 4 Reasoning Plus", "Phi 4"):
        choice = choose_format(replace(stranger("<|im_sep|>"), name=name), None)
        assert choice.always_reasons == choice.reasoning == ("Reasoning" in name)


@pytest.mark.parametrize(
    ("general_name", "expected"),
    [
        ("Phi 4 Mini Instruct", "phi-4-mini"),
        ("Phi 4 Mini Reasoning", "phi-4-mini-reasoning"),
        ("Phi-3.5-mini-instruct", "phi-3.5-mini"),
        ("Phi 4", "phi-4"),
        ("SmolLM2 135M", None),
        ("", None),
        (None, None),
    ],
)
def test_a_file_that_says_its_name(general_name: str | None, expected: str | None) -> None:
    variant = known_by_name(general_name)
    assert (variant.id if variant else None) == expected


def test_a_home_that_does_not_exist_is_a_missing_file() -> None:
    with pytest.raises(NotFoundError):
        read_header(locate("~nosuchuser/model.gguf").path)
