"""What ``litellm`` gets from the server at ``BASE_URL``."""

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import litellm
from reporting import MODEL, QUESTION, RESULT, TOOL, WEATHER, report

more: dict[str, Any] = {"api_base": os.environ["BASE_URL"], "api_key": "any", "max_retries": 0}
asked = [{"role": "user", "content": QUESTION}]


def chat() -> str:
    return litellm.completion(f"openai/{MODEL}", asked, **more).choices[0].message.content


def stream() -> str:
    chunks = litellm.completion(f"openai/{MODEL}", asked, stream=True, **more)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def hosted_vllm() -> str:
    return litellm.completion(f"hosted_vllm/{MODEL}", asked, **more).choices[0].message.content


def schema() -> str:
    wanted = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    form = {"type": "json_schema", "json_schema": {"name": "city", "schema": wanted, "strict": True}}
    reply = litellm.completion(f"openai/{MODEL}", asked, response_format=form, max_tokens=64, **more)
    assert set(json.loads(reply.choices[0].message.content)) == {"city"}
    return "a city"


def tools() -> str:
    messages: list[Any] = [{"role": "user", "content": WEATHER}]
    first = litellm.completion(f"openai/{MODEL}", messages, tools=[TOOL], **more).choices[0].message
    (call,) = first.tool_calls
    messages += [first.model_dump(), {"role": "tool", "tool_call_id": call.id, "content": RESULT}]
    return litellm.completion(f"openai/{MODEL}", messages, tools=[TOOL], **more).choices[0].message.content


FEATURES: Mapping[str, Callable[[], str]] = {
    "chat": chat, "stream": stream, "hosted_vllm": hosted_vllm, "json_schema": schema, "tool conversation": tools,
}  # fmt: skip
report(FEATURES)
