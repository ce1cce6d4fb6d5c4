"""The test of a remote, against servers that behave and that do not."""

from __future__ import annotations

import socket

import pytest

from phicli.engine.endpoint.failures import EndpointError
from phicli.errors import NotFoundError
from phicli.remotes import known
from phicli.remotes.checking import QUESTION, check
from phicli.remotes.kinds import KINDS
from phicli.remotes.last_listed import models_of
from phicli.remotes.offering import offers
from phicli.remotes.types import KindName, Remote
from tests.support.endpoint import Behaviour, Endpoint


def test_a_remote_with_several_models_is_not_asked() -> None:
    with Endpoint() as endpoint:
        checked = check(Remote("lab", endpoint.url, "vllm"))
        assert checked.models == ("first-model", "second-model")
        assert checked.answer is None
        assert endpoint.chats == []
        assert models_of(checked.remote) == ("first-model", "second-model")
        assert models_of(Remote("lab", "http://other.example/v1", "vllm")) == ()


def test_the_only_model_is_asked() -> None:
    with Endpoint(lambda _: Behaviour(pieces=("Pa", "ris\n"), finish="stop")) as endpoint:
        endpoint.models = {"data": [{"id": "only"}]}
        answer = check(Remote("lab", endpoint.url, "vllm")).answer
        assert answer is not None
        assert (answer.model, answer.text, answer.finish_reason) == ("only", "Paris", "stop")
        assert 0 < answer.first_ms <= answer.total_ms
        assert answer.completion_tokens == 2
        (asked,) = endpoint.chats
        assert asked.body["messages"] == [{"role": "user", "content": QUESTION}]


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_limit_is_in_the_field_that_the_kind_knows(kind: KindName) -> None:
    with Endpoint() as endpoint:
        check(Remote("lab", endpoint.url, kind), "first-model")
        (asked,) = endpoint.chats
        named = [name for name in ("max_tokens", "max_completion_tokens") if name in asked.body]
        assert named == [KINDS[kind].limit_field if kind != "openai" else "max_tokens"]


def test_a_model_that_the_remote_does_not_have() -> None:
    refused = Behaviour(status=404, body=b'{"error": {"message": "no such model"}}')
    with Endpoint(lambda _: refused) as endpoint, pytest.raises(NotFoundError) as caught:
        check(Remote("lab", endpoint.url, "vllm"), "frst-model")
    assert "no such model" in caught.value.message
    assert caught.value.hint == "did you mean lab/first-model?"


def test_a_model_that_is_listed_and_fails_is_a_failure_of_the_remote() -> None:
    with Endpoint(lambda _: Behaviour(status=404)) as endpoint, pytest.raises(EndpointError):
        check(Remote("lab", endpoint.url, "vllm"), "first-model")


def test_a_remote_without_a_list_can_still_answer() -> None:
    with Endpoint() as endpoint:
        endpoint.listing = Behaviour(status=404)
        checked = check(Remote("lab", endpoint.url, "openai"), "some-model")
        assert checked.models == ()
        assert checked.answer is not None
        assert checked.notes[0].startswith("it lists no models: ")
        with pytest.raises(EndpointError):
            check(Remote("lab", endpoint.url, "openai"))


def test_what_azure_lists_are_not_deployments() -> None:
    with Endpoint() as endpoint:
        checked = check(Remote("lab", endpoint.url, "azure"))
        assert (checked.models, checked.answer) == ((), None)
        assert checked.listed_ms is not None


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        (Behaviour(cut_after=2), "cut"),
        (Behaviour(raw=b"<html>sign in</html>"), "garbage"),
        (Behaviour(status=429, headers={"Retry-After": "7"}), "limited"),
        (Behaviour(status=503), "server"),
    ],
)
def test_what_goes_wrong_is_told_apart(how: Behaviour, kind: str) -> None:
    with Endpoint(lambda _: how) as endpoint, pytest.raises(EndpointError) as caught:
        check(Remote("lab", endpoint.url, "vllm"), "first-model")
    assert caught.value.kind == kind


def test_remotes_offer_what_they_list_in_the_order_that_is_wanted() -> None:
    with Endpoint() as one, Endpoint() as two:
        one.models = {"data": [{"id": "microsoft/Phi-4-mini-instruct"}, {"id": "gpt-oss"}]}
        two.models = {"data": [{"id": "phi4:latest"}]}
        known.add(Remote("one", one.url, "vllm"))
        known.add(Remote("two", two.url, "ollama"))
        known.add(Remote("gone", "http://127.0.0.1:9/v1", "vllm"))
        known.add(Remote("keyless", two.url, "vllm", "LAB_KEY"))
        known.add(Remote("cloud", two.url, "azure"))
        found = offers(["phi-4", "phi-4-mini"])
        assert [(offer.named.reference, offer.variant_id) for offer in found] == [
            ("two/phi4:latest", "phi-4"),
            ("one/microsoft/Phi-4-mini-instruct", "phi-4-mini"),
        ]
        assert offers(["phi-3-mini-4k"]) == ()


def test_a_remote_that_says_nothing_has_no_models() -> None:
    with socket.create_server(("127.0.0.1", 0)) as quiet, Endpoint() as quick:
        quick.models = {"data": [{"id": "phi-4"}]}
        known.add(Remote("quiet", f"http://127.0.0.1:{quiet.getsockname()[1]}/v1", "vllm"))
        known.add(Remote("quick", quick.url, "vllm"))
        assert [offer.named.remote.name for offer in offers(["phi-4"], patience_s=1)] == ["quick"]


def test_without_a_network_only_this_machine_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    reached: list[str] = []
    monkeypatch.setattr(
        "phicli.engine.endpoint.client.EndpointClient.models",
        lambda client, *, silence_s: reached.append(client.address.host) or ("phi-4",),
    )
    known.add(Remote("far", "http://10.255.255.1/v1", "vllm"))
    known.add(Remote("near", "http://127.0.0.1:9/v1", "vllm"))
    assert [offer.named.remote.name for offer in offers(["phi-4"])] == ["near"]
    assert reached == ["127.0.0.1"]
