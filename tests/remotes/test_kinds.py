"""The table of products."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import get_args

import pytest

from phicli.engine.types import Sampling
from phicli.remotes.kinds import KINDS, kind_of, kind_of_url
from phicli.remotes.listing import variant_meant
from phicli.remotes.types import KindName, Remote


def test_each_kind_has_a_row_with_a_source_and_a_date() -> None:
    assert tuple(KINDS) == get_args(KindName)
    for name, kind in KINDS.items():
        assert kind.name == name
        assert kind.documented
        assert re.fullmatch(r"20\d\d-[01]\d", kind.as_of)
        assert kind.parallel >= 1
        assert kind.path.endswith("/v1")


def test_only_what_can_run_here_counts_as_tried() -> None:
    assert {name for name, kind in KINDS.items() if kind.tried} == {"llama-server", "phi"}


def test_the_fields_of_sampling_are_ours() -> None:
    ours = {field.name for field in fields(Sampling)}
    for kind in KINDS.values():
        assert set(kind.sampling) <= ours - {"temperature", "seed", "max_tokens"}
        assert set(kind.grammar) <= {"gbnf", "regex", "choice"}


def test_phi_serve_takes_what_its_own_reader_reads() -> None:
    from phicli.server.openai.fields import request_fields
    from phicli.server.openai.sampling import sampling_of, stop_of

    kind = KINDS["phi"]
    usual = {ours: getattr(Sampling(), ours) for ours in kind.sampling}
    values = {theirs: usual[ours] for ours, theirs in kind.sampling.items()}
    read = sampling_of(request_fields({**values, kind.limit_field: 7, "seed": 3, "temperature": 0.5}))
    assert read == {**usual, "max_tokens": 7, "seed": 3, "temperature": 0.5}
    texts = [str(number) for number in range(kind.most_stop_texts or 0)]
    assert list(stop_of(request_fields({"stop": texts}))) == texts


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://me.openai.azure.com/openai/v1", "azure"),
        ("https://me.services.ai.azure.com/openai/v1", "azure"),
        ("https://integrate.api.nvidia.com/v1", "nvidia"),
        ("https://ollama.com/v1", "ollama"),
        ("http://10.0.0.7:11434/v1", "ollama"),
        ("http://localhost:1234/v1", "lmstudio"),
        ("http://localhost:8080/v1", "llama-server"),
        ("http://localhost:8000/v1", "vllm"),
        ("http://localhost:11500/v1", "phi"),
        ("http://localhost:9999/v1", None),
        ("https://evilopenai.azure.com.example.org/v1", None),
        ("https://api.groq.com/openai/v1", None),
    ],
)
def test_the_kind_by_the_address(url: str, kind: str | None) -> None:
    assert kind_of_url(url) == kind


def test_copies_of_openai_get_the_limit_that_they_know() -> None:
    assert kind_of(Remote("a", "https://api.openai.com/v1", "openai")).limit_field == "max_completion_tokens"
    assert kind_of(Remote("a", "https://api.example.org/v1", "openai")).limit_field == "max_tokens"
    assert kind_of(Remote("a", "http://x/v1", "vllm")) == KINDS["vllm"]


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("microsoft/Phi-4-mini-instruct", "phi-4-mini"),
        ("phi4-mini:latest", "phi-4-mini"),
        ("/models/Phi-4-Q4_K_M.gguf", "phi-4"),
        ("microsoft_Phi-4-mini-instruct-Q4_K_M.gguf", "phi-4-mini"),
        ("Phi-4-mini-instruct-generic-cpu", "phi-4-mini"),
        ("phi-4-mini:q4_k_m", "phi-4-mini"),
        ("gpt-4o", None),
        ("my-deployment", None),
        ("", None),
        ("///", None),
    ],
)
def test_the_model_of_the_catalog_by_the_name_of_a_remote(name: str, variant: str | None) -> None:
    found = variant_meant(name)
    assert (found and found.id) == variant
