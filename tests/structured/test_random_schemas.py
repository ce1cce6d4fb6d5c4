"""Whatever the schema, an answer that is given matches it, for jsonschema as anybody uses it.

``PHI_SCHEMAS=1000 pytest tests/structured/test_random_schemas.py`` tries so many with SmolLM2.
"""

from __future__ import annotations

import collections
import json
import os
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator

from phicli.answering.formed import FormedModel, FormError
from phicli.answering.local_model import LocalModel
from phicli.answering.opening import open_model
from phicli.chat_format.types import Message
from phicli.engine.types import Sampling
from phicli.errors import UsageError
from phicli.plan.chat_options import ChatOptions
from phicli.plan.load import Use
from phicli.plan.locate import locate
from phicli.structured.form import SchemaForm
from tests.support.random_schemas import schemas

FEW = 60
MANY = int(os.environ.get("PHI_SCHEMAS", "100"))
QUESTION = (Message("user", "Give an example."),)


def outcome(model: LocalModel, schema: Any, *, temperature: float, max_tokens: int) -> str:
    """What becomes of a schema; an answer that does not match is an error of the test."""
    try:
        formed = FormedModel(model, SchemaForm(schema), retries=1)
        seed = zlib.crc32(json.dumps(schema).encode())
        sampling = Sampling(temperature=temperature, top_k=0, top_p=1.0, min_p=0.0, seed=seed, max_tokens=max_tokens)
        *_, answer = formed.answer(QUESTION, sampling=sampling)
    except FormError as error:
        return error.answer.finish_reason
    except UsageError:
        return "refused"
    Draft202012Validator(schema).validate(json.loads(answer.text))
    assert json.loads(json.dumps(answer.parsed, allow_nan=False)) == json.loads(answer.text)
    return "answer"


def tried(name: str, count: int, *, temperature: float, max_tokens: int) -> collections.Counter[str]:
    """How many of ``count`` random schemas had which outcome."""
    outcomes: collections.Counter[str] = collections.Counter()
    options = ChatOptions(engine={"threads": 1}, context_tokens=512)
    with open_model(locate(name), options, Use.ONE_ANSWER) as opened:

        @settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck), database=None,
                  derandomize=count == FEW)  # fmt: skip
        @given(schemas())
        def try_one(schema: Any) -> None:
            outcomes[outcome(opened.model, schema, temperature=temperature, max_tokens=max_tokens)] += 1

        try_one()
    return outcomes


@pytest.fixture(autouse=True)
def _processes(starts_process: None) -> None:
    """Each test starts an engine."""


def test_no_answer_of_tiny_phi_contradicts_its_schema() -> None:
    outcomes = tried("tiny-phi", FEW, temperature=1.5, max_tokens=60)
    assert outcomes["answer"] > 0


@pytest.mark.model
def test_no_answer_of_a_real_model_contradicts_its_schema(smollm2: Path) -> None:
    outcomes = tried(str(smollm2), MANY, temperature=1.0, max_tokens=60)
    assert outcomes["answer"] > MANY // 10
