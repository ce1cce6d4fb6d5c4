"""What a constraint makes of the engine's answer, on the real engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from phicli.engine.constraint import Constraint, ConstraintError
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.settings import EngineSettings
from phicli.engine.types import Chunk, Done, LoadSettings, Sampling
from tests.engine.conftest import QUESTION
from tests.support.files import TINY_PHI

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def engine() -> Iterator[LlamaServerEngine]:
    loaded = LlamaServerEngine(LoadSettings(TINY_PHI, 256, EngineSettings(threads=1)))
    yield loaded
    loaded.close()


def answer(engine: LlamaServerEngine, constraint: Constraint | None) -> tuple[str, tuple[int, ...] | None]:
    """The text and the token ids that the engine generates under ``constraint``."""
    prompt = engine.tokenize(QUESTION, parse_special=True)
    events = list(engine.generate(prompt, Sampling(max_tokens=40, constraint=constraint)))
    (done,) = [event for event in events if isinstance(event, Done)]
    return "".join(event.text for event in events if isinstance(event, Chunk)), done.token_ids


@pytest.mark.parametrize(
    ("constraint", "text"),
    [
        (Constraint("gbnf", 'root ::= "Rome"'), "Rome"),
        (Constraint("lark", "start: /R[o]me/"), "Rome"),
        (Constraint("regex", "R[o]me"), "Rome"),
        (Constraint("json_schema", '{"const": {"city": "Rome"}, "x-guidance": {"whitespace_flexible": false}}'),
         '{"city":"Rome"}'),
    ],
    ids=lambda value: value.language if isinstance(value, Constraint) else "",
)  # fmt: skip
def test_the_engine_holds_its_answer_to_each_language(
    engine: LlamaServerEngine, constraint: Constraint, text: str
) -> None:
    assert answer(engine, constraint)[0] == text


def test_tokens_are_named_by_their_ids(engine: LlamaServerEngine) -> None:
    (token_id,) = engine.tokenize("<|tool_call|>", parse_special=True)
    assert answer(engine, Constraint("gbnf", f'root ::= <[{token_id}]> "[]"'))[1][:1] == (token_id,)  # type: ignore[index]


def test_without_a_constraint_the_answer_is_free(engine: LlamaServerEngine) -> None:
    assert "Paris" in answer(engine, None)[0]


@pytest.mark.parametrize(
    ("constraint", "words"),
    [
        (Constraint("gbnf", "root ::= (("), "error parsing grammar: expecting ')'"),
        (Constraint("gbnf", 'answer ::= "a"'), "grammar does not contain a 'root' symbol"),
        (Constraint("gbnf", 'root ::= "a" | other'), "error parsing grammar: Undefined rule identifier 'other'"),
        (Constraint("lark", "start: other"), 'unknown name: "other"'),
        (Constraint("lark", "start: /(?=a)b/"), "look-ahead and look-behind, is not supported"),
        (Constraint("json_schema", '{"uniqueItems": true}'), 'Unimplemented keys: ["uniqueItems"]'),
        (Constraint("json_schema", '{"$ref": "#"}'), "NoExtensionBias"),
    ],
)
def test_a_constraint_that_cannot_be_held_is_an_error_with_the_engines_words(
    engine: LlamaServerEngine, constraint: Constraint, words: str
) -> None:
    with pytest.raises(ConstraintError) as caught:
        answer(engine, constraint)
    assert words in caught.value.message
    assert answer(engine, Constraint("gbnf", 'root ::= "Rome"'))[0] == "Rome"
