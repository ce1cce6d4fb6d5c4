"""What ``instructor`` gets from the server at ``BASE_URL``."""

import os
from collections.abc import Callable, Mapping

import instructor
import openai
from pydantic import BaseModel
from reporting import MODEL, QUESTION, report

plain = openai.OpenAI(base_url=os.environ["BASE_URL"], api_key="any", max_retries=0)
asked = [{"role": "user", "content": QUESTION}]


class City(BaseModel):
    city: str


def _created(client: instructor.Instructor) -> str:
    found = client.chat.completions.create(
        model=MODEL, messages=asked, response_model=City, max_tokens=100, max_retries=1
    )
    assert isinstance(found, City)
    return "a City"


def by_tool() -> str:
    return _created(instructor.from_openai(plain))


def by_schema() -> str:
    return _created(instructor.from_openai(plain, mode=instructor.Mode.JSON_SCHEMA))


FEATURES: Mapping[str, Callable[[], str]] = {"default mode (tools)": by_tool, "JSON_SCHEMA mode": by_schema}
report(FEATURES)
