"""A model of a remote as a conversation has it, without a process."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import pytest

from phicli.catalog.resolve import resolve
from phicli.chat.dialogue import Dialogue, Turn
from phicli.chat.model_change import carried_to_remote
from phicli.chat.open import ModelInUse, OpenChat, session_over
from phicli.chat.remote import NamedRemote, OpenRemote, RemotePlan
from phicli.chat.remote_gone import require_remote
from phicli.chat_format.types import Message, ToolCall
from phicli.engine.abilities import Ability
from phicli.engine.types import Sampling
from phicli.errors import NetworkError, NotFoundError, UsageError
from phicli.remotes.types import KindName, Remote, RemoteModelName
from tests.support.endpoint import Behaviour, Endpoint
from tests.support.remote_talks import says
from tests.support.remotes import remote_model

CALLED = Turn(
    "weather?",
    replies=(
        Message("assistant", "", tool_calls=(ToolCall("weather", {}),), token_ids=(7,)),
        Message("tool", "rain"),
        Message("assistant", "It rains."),
    ),
)


def named(model: str = "phi-4", url: str = "http://127.0.0.1:1/v1", kind: KindName = "vllm") -> NamedRemote:
    return NamedRemote(RemoteModelName(Remote("lab", url, kind), model))


def plan(**sampling: float) -> RemotePlan:
    return RemotePlan(named(), replace(Sampling(seed=7), **sampling), Sampling())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("model", "variant"),
    [("phi-4", "phi-4"), ("microsoft/Phi-4-mini-instruct", "phi-4-mini"), ("phi4-mini:latest", "phi-4-mini"),
     ("gpt-5", None), ("my-deployment", None)],
)  # fmt: skip
def test_the_name_may_mean_a_variant(model: str, variant: str | None) -> None:
    found = named(model).variant
    assert (found.id if found else None) == variant
    assert (named(model).name, named(model).reference, named(model).quant) == (f"lab/{model}", f"lab/{model}", None)


def test_the_settings_are_those_that_are_sent() -> None:
    assert plan(temperature=0.5, top_k=3).settings_data() == {
        "remote": {"name": "lab", "url": "http://127.0.0.1:1/v1", "kind": "vllm"},
        "system": None,
        "temperature": 0.5,
        "top_k": 3,
        "seed": 7,
        "max_tokens": None,
        "stop": [],
        "think_budget": None,
    }


def test_usual_values_are_settings_where_they_have_an_effect() -> None:
    usual = Sampling(top_p=0.9)
    for temperature, expected in ((0.0, None), (0.7, 0.9)):
        asked = replace(plan(top_p=0.9, temperature=temperature), usual=usual)
        assert asked.settings_data().get("top_p") == expected
    assert replace(plan(top_p=0.5), usual=usual).settings_data()["top_p"] == 0.5


def test_what_a_remote_cannot_report_is_refused_and_forms_are_not() -> None:
    with Endpoint() as endpoint, remote_model(endpoint.url, kind="lmstudio") as model:
        opened = OpenRemote(model, replace(plan(), model=named(kind="lmstudio")))
        opened.require(Ability.LARK)
        opened.require(Ability.CONSTRAINTS)
        with pytest.raises(UsageError, match="LM Studio cannot report the probabilities of tokens"):
            opened.require(Ability.SCORES)
        assert opened.ignored(Sampling(min_p=0.5)) == ["lab ignores --min-p"]
        assert opened.ignored(Sampling(temperature=2, top_k=3)) == []
        assert (opened.process_id, opened.loading, opened.counts_exactly, opened.context_tokens) == (
            None, False, False, None,
        )  # fmt: skip
        assert endpoint.asked == []


def test_a_remote_that_refuses_the_key_is_not_ready_and_one_without_a_list_is() -> None:
    with Endpoint() as endpoint, remote_model(endpoint.url) as model:
        opened = OpenRemote(model, plan())
        opened.wait_ready()
        endpoint.listing = Behaviour(status=404)
        opened.wait_ready()
        endpoint.key = "other"
        with pytest.raises(NetworkError, match="401"):
            opened.wait_ready()


@pytest.mark.parametrize(
    ("model", "kind", "note"),
    [
        ("first-model", "vllm", ""),
        ("First-Model", "vllm", ""),
        ("frst-model", "vllm", "lab does not list the model frst-model; did you mean lab/first-model?"),
        ("phi-4", "vllm", "lab does not list the model phi-4; see its models: phi remotes test lab"),
        ("frst-model", "azure", ""),
    ],
)
def test_a_model_that_the_remote_does_not_list_is_noted(model: str, kind: KindName, note: str) -> None:
    with Endpoint() as endpoint, remote_model(endpoint.url, model=model, kind=kind) as found:
        opened = OpenRemote(found, plan())
        assert opened.unlisted_note == ""
        opened.wait_ready()
        assert opened.unlisted_note == note


def test_a_session_over_a_remote_counts_about_and_says_so() -> None:
    with Endpoint(lambda _: says("Hello")) as endpoint, remote_model(endpoint.url) as model:
        session = session_over(OpenRemote(model, replace(plan(), system="be brief")))
        assert (session.counts_exactly, session.dialogue.system) == (False, "be brief")
        session.tools = "[]"
        assert session.declared_tokens() == 0


def test_what_made_an_answer_has_the_remote() -> None:
    with Endpoint(lambda _: says("Hello")) as endpoint, remote_model(endpoint.url) as model:
        opened = OpenRemote(model, plan())
        with ModelInUse(lambda _: nullcontext(opened), opened.plan.model) as models:
            chat = OpenChat(session_over(opened), models)
            list(chat.session.ask("Hi"))
            assert chat.session.last is not None
            facts = chat.facts(chat.session.last, chat.session.sampling)
    assert (facts["model"], facts["engine"], facts["quant"]) == ("lab/phi-4", "remote", None)
    assert facts["settings"]["remote"]["kind"] == "vllm"
    answered = Dialogue(None, (Turn("Hi", replies=(Message("assistant", "Hello"),), facts=facts),))
    with pytest.raises(NotFoundError, match="there is no remote lab; it was http://") as raised:
        require_remote(answered, "lab/phi-4")
    assert raised.value.hint == "add it again: phi remotes add lab http://127.0.0.1:1/v1 --kind vllm"
    require_remote(answered, "tiny-phi")  # the session is for another model by now
    require_remote(Dialogue(None, (CALLED,)), "lab/phi-4")  # it is not known what made the answers


def test_tools_carry_over_and_ids_and_the_own_system_message_do_not() -> None:
    own = resolve("phi-4-reasoning").variant.system_prompt
    for system, expected in ((f"{own} Be brief.", "Be brief."), (own, None), ("Be brief.", "Be brief."), (None, None)):
        anew, notes = carried_to_remote(Dialogue(system, (CALLED,)), named())
        assert (anew.system, notes) == (expected, ())
        assert anew.turns[0].replies[0].tool_calls == CALLED.replies[0].tool_calls
        assert anew.turns[0].replies[0].token_ids is None


def test_a_model_that_reasoned_before_is_named_where_the_other_does_not() -> None:
    before = resolve("phi-4-reasoning").variant
    assert carried_to_remote(Dialogue(), named(), before=before)[1] == ("lab/phi-4 does not reason before it answers",)
    assert carried_to_remote(Dialogue(), named("phi-4-mini-reasoning"), before=before)[1] == ()
    assert carried_to_remote(Dialogue(), named("gpt-5"), before=before)[1] == ()
