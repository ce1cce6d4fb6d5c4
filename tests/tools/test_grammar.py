"""Grammars of tool calls, held by the real engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from phicli.answering.encode import encode
from phicli.answering.model_file import special_tokens_of
from phicli.chat_format import format_by_name
from phicli.chat_format.generic_tools import GenericTools
from phicli.chat_format.types import Message, PromptFormat, ToolCall
from phicli.engine.constraint import Constraint
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.settings import EngineSettings
from phicli.engine.types import Chunk, Done, LoadSettings, Sampling
from phicli.gguf_file.header import read_header
from phicli.tools.checking import wrong_calls
from phicli.tools.declared import declared_for
from phicli.tools.grammar import END_TOKENS, calls_as_text, required_calls
from phicli.tools.types import Tool
from tests.support.files import TINY_PHI

pytestmark = pytest.mark.process
WEATHER = Tool(
    "get_weather",
    'The "weather" in a city',
    {"type": "object", "properties": {"city": {"type": "string", "maxLength": 12}}, "required": ["city"]},
)
UNIT = Tool("set_unit", "", {"type": "object", "properties": {"unit": {"enum": ["c", "f"]}}, "required": ["unit"]})
NOW = Tool("now", "", {"type": "object", "properties": {}})
HARD = Tool(
    "hard",
    "",
    {
        "type": "object",
        "properties": {
            "a": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 3},
                  "minItems": 1, "maxItems": 2},
            "b": {"$ref": "#/$defs/B"},
        },
        "required": ["a", "b"],
        "$defs": {"B": {"type": "object", "properties": {"x": {"const": 1}}, "required": ["x"], "not": {"const": 2}}},
    },
)  # fmt: skip
SPECIAL = special_tokens_of(read_header(TINY_PHI))


@pytest.fixture(scope="module")
def engine() -> Iterator[LlamaServerEngine]:
    loaded = LlamaServerEngine(LoadSettings(TINY_PHI, 512, EngineSettings(threads=1)))
    yield loaded
    loaded.close()


def answer(
    engine: LlamaServerEngine, grammar: str, tools: list[Tool], question: str, prompt_format: PromptFormat
) -> tuple[tuple[ToolCall, ...], str, tuple[int, ...]]:
    """The calls, the text beside them and the ids that come under ``grammar``."""
    declared = declared_for(prompt_format.name if not isinstance(prompt_format, GenericTools) else "", tools)
    prompt = encode(prompt_format.render([Message("user", question)], tools=declared), engine, SPECIAL)
    parser = prompt_format.parser(tools=True)
    sampling, pieces, ids = Sampling(max_tokens=400, constraint=Constraint("lark", grammar)), [], ()
    for event in engine.generate(prompt, sampling, visible_tokens=SPECIAL.ids_of(prompt_format.visible_tokens)):
        if isinstance(event, Chunk):
            pieces += parser.feed(event.text)
        elif isinstance(event, Done):
            ids = event.token_ids or ()
    pieces += parser.finish()
    return parser.tool_calls, "".join(piece.text for piece in pieces), ids


@pytest.mark.parametrize("tool", [WEATHER, UNIT, NOW, HARD], ids=lambda tool: tool.name)
@pytest.mark.parametrize("several", [False, True])
def test_a_question_that_needs_no_tool_gets_a_call_that_is_right(
    engine: LlamaServerEngine, tool: Tool, *, several: bool
) -> None:
    grammar = required_calls([tool], SPECIAL.id_of, several=several)
    calls, text, ids = answer(engine, grammar, [tool], "What is the capital of France?", format_by_name("phi-4-mini"))
    assert {call.name for call in calls} == {tool.name}
    assert text == ""
    assert wrong_calls(calls, text, [tool]) is None
    assert len(calls) == 1 or several
    assert ids[0] == SPECIAL.id_of("<|tool_call|>")
    assert SPECIAL.id_of("<|/tool_call|>") in ids


def test_only_what_is_allowed_is_called(engine: LlamaServerEngine) -> None:
    grammar = required_calls([UNIT, NOW], SPECIAL.id_of, several=True)
    calls, _, _ = answer(
        engine, grammar, [WEATHER, UNIT, NOW], "What is the weather in Paris?", format_by_name("phi-4-mini")
    )
    assert {call.name for call in calls} <= {"set_unit", "now"}
    assert calls


def test_the_markers_are_text_where_the_file_has_no_such_tokens() -> None:
    start, *_ = required_calls([NOW], lambda _: None, several=False).splitlines()
    assert start == 'start: "<|tool_call|>" "[" call "]" "<|/tool_call|>"'


def test_calls_in_words(engine: LlamaServerEngine) -> None:
    generic = GenericTools(format_by_name("phi-4-mini"))
    required = calls_as_text([WEATHER, NOW], several=False)
    calls, text, _ = answer(engine, required, [WEATHER, NOW], "What is the weather in Paris?", generic)
    assert len(calls) == 1
    assert (text, wrong_calls(calls, text, [WEATHER, NOW])) == ("", None)
    ends = sorted(SPECIAL.ids_of(END_TOKENS).values())
    free = calls_as_text([WEATHER], several=True, end_ids=ends)
    calls, text, ids = answer(engine, free, [WEATHER], "What is the capital of France?", generic)
    assert calls or text
    assert wrong_calls(calls, text, [WEATHER]) is None
    assert len(ids) < 400


def test_text_ends_where_the_model_ends_it(engine: LlamaServerEngine) -> None:
    """Without the end token in the grammar it could only go on."""
    ends = sorted(SPECIAL.ids_of(END_TOKENS).values())
    free = calls_as_text([WEATHER], several=True, end_ids=ends)
    _, text, _ = answer(engine, free, [], "What is the capital of France?", format_by_name("phi-4-mini"))
    assert text == "The capital of France is Paris."
