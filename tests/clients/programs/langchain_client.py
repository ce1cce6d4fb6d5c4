"""What ``langchain-openai`` gets from the server at ``BASE_URL``."""

import os
from collections.abc import Callable, Mapping

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from pydantic import BaseModel
from reporting import MODEL, QUESTION, RESULT, TOOL, WEATHER, report

model = ChatOpenAI(model=MODEL, base_url=os.environ["BASE_URL"], api_key="any", max_retries=0, max_tokens=100)


class City(BaseModel):
    """A city."""

    city: str


def invoke() -> str:
    return model.invoke(QUESTION).content


def stream() -> str:
    return "".join(chunk.content for chunk in model.stream(QUESTION))


def structured() -> str:
    assert isinstance(model.with_structured_output(City).invoke(QUESTION), City)
    return "a City"


def structured_by_tool() -> str:
    assert isinstance(model.with_structured_output(City, method="function_calling").invoke(QUESTION), City)
    return "a City"


def tools() -> str:
    able = model.bind_tools([TOOL])
    first = able.invoke([HumanMessage(WEATHER)])
    (call,) = first.tool_calls
    assert call["args"] == {"city": "Paris"}
    return able.invoke([HumanMessage(WEATHER), first, ToolMessage(RESULT, tool_call_id=call["id"])]).content


FEATURES: Mapping[str, Callable[[], str]] = {
    "chat": invoke, "stream": stream, "structured output": structured,
    "structured output by a tool": structured_by_tool, "tool conversation": tools,
}  # fmt: skip
report(FEATURES)
