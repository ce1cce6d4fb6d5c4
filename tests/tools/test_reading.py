"""Files that declare tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from phicli.errors import NotFoundError, UsageError
from phicli.tools.files import read_tools
from phicli.tools.reading import parse_tools, unique
from phicli.tools.types import Tool

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = Tool("get_weather", "The weather in a city", SCHEMA)
FUNCTION = {"name": "get_weather", "description": "The weather in a city", "parameters": SCHEMA}
CARD = FUNCTION | {"parameters": {"city": {"type": "str"}}}


@pytest.mark.parametrize(
    "declared",
    [
        {"type": "function", "function": FUNCTION},
        {"type": "function", **FUNCTION},
        FUNCTION,
        CARD,
        FUNCTION | {"annotations": {}},
        {"name": "get_weather", "description": "The weather in a city", "input_schema": SCHEMA},
        {"name": "get_weather", "title": "W", "description": "The weather in a city", "inputSchema": SCHEMA},
    ],
)
def test_one_tool_in_each_shape(declared: Any) -> None:
    assert parse_tools(json.dumps([declared]), "FILE") == [WEATHER]


def test_a_tool_without_parameters() -> None:
    for parameters in ({}, {"parameters": {}}, {"parameters": None}):
        (tool,) = parse_tools(json.dumps([{"name": "now", **parameters}]), "FILE")
        assert (tool.name, tool.description, tool.parameters.get("properties")) == ("now", "", {})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{oops", "FILE is not JSON: expecting property name enclosed in double quotes at line 1, column 2"),
        ('[{"name": NaN}]', "NaN is not a JSON value"),
        ('{"name": "f"}', "FILE is not a list but an object"),
        ("[]", "FILE has no tools"),
        ('["f"]', "FILE: tool 1 is not an object but text"),
        ('[{"name": "f"}, {"name": ""}]', "FILE: tool 2: '' cannot be a name"),
        ('[{"name": "two words"}]', "FILE: tool 1: 'two words' cannot be a name"),
        ('[{"description": "Does."}]', "FILE: tool 1 has no name"),
        ('[{"name": 3}]', "FILE: tool 1: 3 cannot be a name"),
        ('[{"function": 3}]', "FILE: tool 1: function is not an object but a number"),
        ('[{"name": "f", "description": []}]', "FILE: tool 1 (f): the description is not text but a list"),
        ('[{"name": "f", "parameters": []}]', "FILE: tool 1 (f): the parameters are not an object but a list"),
        ('[{"name": "f", "parameters": {"type": "array"}}]', "the parameters are of type 'array'"),
        ('[{"name": "f", "parameters": {"a": {"type": "date"}}}]', "FILE: tool 1 (f): parameter a: unknown type"),
        ('[{"name": "f", "args": {}}]', "FILE: tool 1 (f) has no parameters, but the unknown key args"),
        ('[{"name": "f", "parameters": {}, "input_schema": {}}]', "(f) has parameters and input_schema"),
        ("[" * 100_000, "FILE is not JSON"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_tools(text, "FILE")
    assert why in caught.value.message


def test_two_tools_of_one_name() -> None:
    with pytest.raises(UsageError, match=r"two tools are called get_weather: a.json and b.json"):
        unique([("a.json", WEATHER), ("b.json", WEATHER)])
    with pytest.raises(UsageError, match=r"two tools are called get_weather: a.json$"):
        unique([("a.json", WEATHER), ("a.json", WEATHER)])


def written(path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def test_several_files_and_one_that_is_named_twice(tmp_path: Path) -> None:
    first = written(tmp_path / "a.json", json.dumps([FUNCTION]))
    second = written(tmp_path / "b.json", "\ufeff" + json.dumps([{"name": "now"}]))
    assert [tool.name for tool in read_tools([first, second, first])] == ["get_weather", "now"]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for text in (json.dumps([FUNCTION]), ' {"name": "f"}'):
        with pytest.raises(UsageError, match="the name of a file, not JSON"):
            read_tools([text])
    with pytest.raises(NotFoundError, match="does not exist"):
        read_tools([str(tmp_path / "none.json")])
    with pytest.raises(UsageError, match="cannot be read"):
        read_tools([str(tmp_path)])
    with pytest.raises(UsageError, match="not UTF-8 text: byte 0xe9 at offset 2"):
        read_tools([written(tmp_path / "a.json", b'["\xe9"]')])
    with pytest.raises(UsageError, match=r"has more than 4.0 MiB|has more than 4 MiB"):
        read_tools([written(tmp_path / "b.json", b" " * (5 << 20))])
