"""One name for one file, wherever people read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from phicli.catalog.display_name import display_name, name_of, with_quant
from phicli.catalog.load import catalog
from phicli.records.history import Entry
from phicli.records.run import Subject


@pytest.mark.parametrize(
    ("model", "quant", "expected"),
    [
        ("phi-4-mini", "Q4_K_M", "phi-4-mini:q4_k_m"),
        ("phi-4-mini", None, "phi-4-mini"),
        ("phi-4-mini", "", "phi-4-mini"),
        ("tiny-phi", "F16", "tiny-phi:f16"),
        ("owner/repo", "Q4_K_M", "owner/repo:q4_k_m"),
        ("owner/repo", None, "owner/repo"),
        ("mymodel.gguf", "Q4_K_M", "mymodel.gguf"),
        ("mymodel.GGUF", "Q4_K_M", "mymodel.GGUF"),
        ("./models/mymodel.gguf", "Q4_K_M", "./models/mymodel.gguf"),
        ("models/mymodel.gguf", "Q4_K_M", "models/mymodel.gguf"),
        ("owner/repo:mymodel.gguf", "Q4_K_M", "owner/repo:mymodel.gguf"),
        ("sha256-0123", "Q4_K_M", "sha256-0123"),
        ("mine", "Q4_K_M", "mine"),
        ("mine-Q4_K_M", "Q4_K_M", "mine-Q4_K_M"),
        ("phi-4-mini:q4_k_m", "Q4_K_M", "phi-4-mini:q4_k_m"),
        ("owner/repo:Q4_K_M", "Q4_K_M", "owner/repo:q4_k_m"),
        ("phi-4-mini:q8_0", None, "phi-4-mini:q8_0"),
        ("llama3:latest", "Q4_0", "llama3:latest"),
        ("", "Q4_0", ""),
    ],
)
def test_names(model: str, quant: str | None, expected: str) -> None:
    assert display_name(model, quant) == expected


def test_every_model_of_the_catalogue_takes_its_quant() -> None:
    for variant in catalog().variants:
        assert display_name(variant.id, "Q8_0") == with_quant(variant.id, "Q8_0") == f"{variant.id}:q8_0"


def test_subjects_and_entries_have_the_same_name() -> None:
    subject = Subject("phi-4-mini", "Q4_K_M", "phi-4-mini", Path("/cache/x.gguf"), 5)
    entry = Entry("id", "", "tune", subject.model, subject.quant, "xllamacpp", "", "", {})
    assert name_of(subject) == name_of(entry) == "phi-4-mini:q4_k_m"
