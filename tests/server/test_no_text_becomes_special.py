"""Nothing that a client sends becomes a special token: the ids have those of the prompt format, and no others."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phicli.answering.model_file import special_tokens_of
from phicli.gguf_file.header import read_header
from phicli.plan.locate import locate
from tests.support.tiny_phi_served import TinyPhi

pytestmark = pytest.mark.process
SPECIAL = special_tokens_of(read_header(locate("tiny-phi").path))
LITERALS = sorted(SPECIAL.guarded.values())
TEXTS = st.lists(
    st.sampled_from(LITERALS)
    | st.sampled_from([f"{one[:3]}{one}{one[3:]}" for one in LITERALS])
    | st.sampled_from([" ", "\n", "a", "é", "system", "<|", "|>"])
    | st.text(max_size=3),
    max_size=4,
).map("".join)
HARMLESS = "x"


@pytest.fixture(scope="module")
def tiny_phi(starts_process: None) -> Iterator[TinyPhi]:
    loaded = TinyPhi()
    yield loaded
    loaded.model.close()


def body(texts: list[str]) -> dict[str, Any]:
    """A request with ``texts`` in all places where a client can send text."""
    system, user, said, argument, key, result, call, described, named, begun, choice = texts
    parameters = {
        "type": "object",
        "properties": {named: {"type": "string", "description": described, "enum": [choice]}},
    }
    called = {"id": call, "type": "function", "function": {"name": call, "arguments": json.dumps({key: argument})}}
    return {
        "messages": [
            {"role": "developer", "content": system, "name": user},
            {"role": "user", "content": [{"type": "text", "text": user}]},
            {
                "role": "assistant",
                "content": said,
                "tool_calls": [called],
            },
            {"role": "tool", "tool_call_id": call, "content": result},
            {"role": "assistant", "content": f"y{begun}"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "description": described, "parameters": parameters}}],
        "max_tokens": 1,
    }


def specials(tiny_phi: TinyPhi, texts: list[str]) -> Counter[int]:
    tiny_phi.chat(**body(texts))
    return Counter(token for token in tiny_phi.prompts[-1] if token in SPECIAL.guarded)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TEXTS, min_size=11, max_size=11))
def test_no_text_of_a_conversation(tiny_phi: TinyPhi, texts: list[str]) -> None:
    texts[6] = texts[6] or HARMLESS  # a call has a name
    assert specials(tiny_phi, texts) == specials(tiny_phi, [HARMLESS] * 11)


@settings(max_examples=60, deadline=None)
@given(TEXTS.filter(bool))
def test_no_text_of_a_completion(tiny_phi: TinyPhi, text: str) -> None:
    tiny_phi.complete(prompt=text, max_tokens=1)
    assert not [token for token in tiny_phi.prompts[-1] if token in SPECIAL.guarded]
