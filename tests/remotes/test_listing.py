"""What a remote says of its models: context sizes, and which names mean the same."""

from __future__ import annotations

from typing import Any

import pytest

from phicli.chat_format.types import Message, ToolCall
from phicli.engine.types import Sampling
from phicli.plan.sampling import LLAMA_CPP_TEMPERATURE
from phicli.remotes.listing import context_of, estimated_tokens, variant_meant
from phicli.remotes.opening import usual_sampling
from phicli.remotes.types import KindName
from tests.support.endpoint import Behaviour, Endpoint
from tests.support.remotes import remote_model


@pytest.mark.parametrize(
    ("entry", "size"),
    [
        ({"max_model_len": 16384}, 16384),
        ({"context_length": 4096}, 4096),
        ({"meta": {"n_ctx": 2048, "n_ctx_train": 16384}}, 2048),
        ({"meta": {"n_ctx_train": 16384}}, None),
        ({"max_model_len": "16384"}, None),
        ({"max_model_len": True}, None),
        ({"max_model_len": -1, "context_length": 10**30}, None),
        ({"meta": 3}, None),
        ({}, None),
    ],
)
def test_products_report_the_context_in_their_own_ways(entry: dict[str, Any], size: int | None) -> None:
    assert context_of([{"id": "phi-4", **entry}, {"id": "other", "max_model_len": 5}], "phi-4") == size


def test_a_server_with_one_model_answers_with_it_whatever_it_is_called() -> None:
    assert context_of([{"id": "/models/file.gguf", "meta": {"n_ctx": 512}}], "phi-4") == 512
    assert context_of([{"id": "a", "n_ctx": 512}, {"id": "b", "n_ctx": 512}], "phi-4") is None
    assert context_of([], "phi-4") is None


@pytest.mark.parametrize(("kind", "lists"), [("vllm", 1), ("azure", 0)])
def test_the_list_is_asked_for_once_and_only_where_it_says_something(kind: KindName, lists: int) -> None:
    with Endpoint() as endpoint, remote_model(endpoint.url, kind=kind) as model:
        endpoint.models = {"data": [{"id": "phi-4", "max_model_len": 777}]}
        assert endpoint.asked == [], "nothing is asked before anybody wants to know"
        assert [model.context_tokens for _ in range(3)] == [777 if lists else None] * 3
        assert len(endpoint.asked) == lists
        endpoint.listing = Behaviour(status=500)
    with Endpoint() as endpoint, remote_model(endpoint.url, kind=kind) as model:
        endpoint.listing = Behaviour(status=500)
        assert model.context_tokens is None


def test_tokens_are_estimated_from_bytes() -> None:
    short, long = (Message("user", "word " * count) for count in (10, 1000))
    assert 10 < estimated_tokens([short], None) < 30
    assert 1000 < estimated_tokens([long], None) < 1500
    call = Message("assistant", "", (ToolCall("add", {"x": 1}),))
    assert estimated_tokens([short, call], "[{}]") > estimated_tokens([short], None)
    assert estimated_tokens([Message("user", "\ud800")], None) > 0


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("phi-4", "phi-4"), ("microsoft/Phi-4-mini-instruct", "phi-4-mini"), ("phi4-mini:3.8b", "phi-4-mini"),
        ("phi4:latest", "phi-4"), ("/models/phi-4.gguf", "phi-4"), ("my-deployment", None), ("llama-3.1", None),
    ],
)  # fmt: skip
def test_a_name_means_a_variant_of_the_catalog(name: str, variant: str | None) -> None:
    found = variant_meant(name)
    assert (None if found is None else found.id) == variant


def test_the_usual_sampling_is_that_of_the_variant_or_of_unknown_files() -> None:
    assert usual_sampling("phi-4-reasoning").temperature == 0.8
    assert usual_sampling("our-phi-tuned") == Sampling()
    assert usual_sampling("llama-3.1") == Sampling(temperature=LLAMA_CPP_TEMPERATURE)
