"""What ``pydantic-ai`` gets from the server at ``BASE_URL``."""

import os
from collections.abc import Callable, Mapping

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from reporting import MODEL, QUESTION, RESULT, WEATHER, report

model = OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=os.environ["BASE_URL"], api_key="any"))
settings = {"max_tokens": 100}


class City(BaseModel):
    """A city."""

    city: str


def text() -> str:
    return Agent(model, model_settings=settings).run_sync(QUESTION).output


def by_tool() -> str:
    assert isinstance(Agent(model, output_type=City, model_settings=settings).run_sync(QUESTION).output, City)
    return "a City"


def native() -> str:
    agent = Agent(model, output_type=NativeOutput(City), model_settings=settings)
    assert isinstance(agent.run_sync(QUESTION).output, City)
    return "a City"


def tools() -> str:
    agent = Agent(model, model_settings=settings)

    @agent.tool_plain
    def get_weather(city: str) -> str:
        """The weather in a city"""
        assert city == "Paris"
        return RESULT

    return agent.run_sync(WEATHER).output


FEATURES: Mapping[str, Callable[[], str]] = {
    "text": text, "default output (tools)": by_tool, "native output": native, "tool conversation": tools,
}  # fmt: skip
report(FEATURES)
