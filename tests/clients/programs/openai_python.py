"""What the ``openai`` package gets from the server at ``BASE_URL``."""

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import openai
from pydantic import BaseModel
from reporting import MODEL, QUESTION, RESULT, TOOL, WEATHER, report

client = openai.OpenAI(base_url=os.environ["BASE_URL"], api_key="any", max_retries=0)
asked = [{"role": "user", "content": QUESTION}]
weather = [{"role": "user", "content": WEATHER}]


class City(BaseModel):
    city: str


def chat() -> str:
    return client.chat.completions.create(model=MODEL, messages=asked).choices[0].message.content


def stream() -> str:
    options = {"include_usage": True}
    chunks = list(client.chat.completions.create(model=MODEL, messages=asked, stream=True, stream_options=options))
    assert chunks[-1].usage.completion_tokens > 0
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def stream_manager() -> str:
    with client.chat.completions.stream(model=MODEL, messages=asked) as events:
        for _ in events:
            pass
        return events.get_final_completion().choices[0].message.content


def parse() -> str:
    reply = client.chat.completions.parse(model=MODEL, messages=asked, response_format=City, max_tokens=64)
    assert isinstance(reply.choices[0].message.parsed, City)
    return "a City"


def json_object() -> str:
    begun = [{"role": "user", "content": "{"}]
    reply = client.chat.completions.create(
        model=MODEL, messages=begun, response_format={"type": "json_object"}, max_tokens=200, seed=1
    )
    assert isinstance(json.loads(reply.choices[0].message.content), dict)
    return "an object"


def _conversation(first: Any) -> str:
    (call,) = first.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Paris"})
    result = {"role": "tool", "tool_call_id": call.id, "content": RESULT}
    messages = [*weather, first.model_dump(exclude_none=True), result]
    return client.chat.completions.create(model=MODEL, messages=messages, tools=[TOOL]).choices[0].message.content


def tools() -> str:
    reply = client.chat.completions.create(model=MODEL, messages=weather, tools=[TOOL])
    assert reply.choices[0].finish_reason == "tool_calls"
    return _conversation(reply.choices[0].message)


def tools_streamed() -> str:
    with client.chat.completions.stream(model=MODEL, messages=weather, tools=[TOOL]) as events:
        for _ in events:
            pass
        return _conversation(events.get_final_completion().choices[0].message)


def _called(choice: Any) -> str:
    reply = client.chat.completions.create(
        model=MODEL, messages=asked, tools=[TOOL], tool_choice=choice, max_tokens=100
    )
    return reply.choices[0].message.tool_calls[0].function.name


def tool_choice_required() -> str:
    return _called("required")


def tool_choice_named() -> str:
    return _called({"type": "function", "function": {"name": "get_weather"}})


def models_list() -> str:
    return "tiny-phi" if MODEL in [one.id for one in client.models.list()] else ""


def models_retrieve() -> str:
    return client.models.retrieve(MODEL).id


def logprobs() -> str:
    reply = client.chat.completions.create(model=MODEL, messages=asked, logprobs=True, top_logprobs=2)
    tokens = reply.choices[0].logprobs.content
    assert all(len(token.top_logprobs) == 2 for token in tokens)
    return "".join(token.token for token in tokens)


def several_answers() -> str:
    reply = client.chat.completions.create(model=MODEL, messages=asked, n=2, seed=1)
    return " ".join(sorted({choice.message.content for choice in reply.choices}))


def stop() -> str:
    return client.chat.completions.create(model=MODEL, messages=asked, stop=" Paris").choices[0].message.content


def completions() -> str:
    reply = client.completions.create(model=MODEL, prompt="x", max_tokens=4)
    assert isinstance(reply.choices[0].text, str)
    return "text"


def wrong_model() -> str:
    try:
        client.chat.completions.create(model="tiny-phy", messages=asked)
    except openai.NotFoundError as error:
        return "NotFoundError" if "tiny-phi" in error.message else error.message
    return ""


def wrong_request() -> str:
    try:
        client.chat.completions.create(model=MODEL, messages=[{"role": "nobody", "content": "x"}])
    except openai.BadRequestError as error:
        return f"BadRequestError {error.param}"
    return ""


FEATURES: Mapping[str, Callable[[], str]] = {
    "chat": chat, "stream": stream, "stream manager": stream_manager, "parse (Pydantic)": parse,
    "json_object": json_object, "tool conversation": tools, "streamed tool conversation": tools_streamed,
    "tool_choice required": tool_choice_required, "tool_choice named": tool_choice_named,
    "models.list": models_list, "models.retrieve": models_retrieve, "logprobs": logprobs, "n": several_answers,
    "stop": stop, "completions": completions, "wrong model": wrong_model, "wrong request": wrong_request,
}  # fmt: skip

report(FEATURES)
