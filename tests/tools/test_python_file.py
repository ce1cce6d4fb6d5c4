"""Functions of a Python file that become tools."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from phicli.errors import UsageError
from phicli.tools.python_file import tools_in
from phicli.tools.types import Tool

pytestmark = pytest.mark.process


def tools(folder: Path, code: str) -> list[Tool]:
    path = folder / "tools.py"
    path.write_text(textwrap.dedent(code), encoding="utf-8")
    return list(tools_in(path, "tools.py"))


def test_types_defaults_and_texts(tmp_path: Path) -> None:
    (weather, now) = tools(
        tmp_path,
        '''
        from __future__ import annotations
        import enum
        import json
        from typing import Annotated, Literal, Optional

        class Unit(enum.Enum):
            CELSIUS = "c"
            FAHRENHEIT = "f"

        print("on standard output")

        def get_weather(
            city: str, unit: Unit = Unit.CELSIUS, days: Optional[int] = None, tags: list[str] = (),
            more: dict[str, float] | None = None, size: Literal[1, 2] = 1,
            exact: Annotated[bool, "To the digit"] = False,
        ) -> str:
            """The weather
            in a city.

            Args:
                city: The city, with
                    its country.
                unit (Unit): Of the temperature.

            Returns:
                Text.
            """
            raise SystemExit("nothing runs")

        async def now() -> str:
            """The time.

            :param none: there is none
            """

        def _private(x: int) -> None:
            """Not for others."""
        ''',
    )
    assert (weather.name, weather.description) == ("get_weather", "The weather in a city.")
    assert weather.parameters == {
        "type": "object",
        "properties": {
            "city": {"description": "The city, with its country.", "type": "string"},
            "unit": {"description": "Of the temperature.", "type": "string", "enum": ["c", "f"], "default": "c"},
            "days": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "tags": {"type": "array", "items": {"type": "string"}, "default": []},
            "more": {
                "anyOf": [{"type": "object", "additionalProperties": {"type": "number"}}, {"type": "null"}],
            },
            "size": {"type": "integer", "enum": [1, 2], "default": 1},
            "exact": {"description": "To the digit", "type": "boolean", "default": False},
        },
        "required": ["city"],
    }
    assert now == Tool("now", "The time.", {"type": "object", "properties": {}, "required": []})


def test_a_file_imports_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("Text = str\n", encoding="utf-8")
    (tool,) = tools(tmp_path, 'from beside import Text\ndef f(a: Text):\n    """Does."""\n')
    assert tool.parameters["properties"] == {"a": {"type": "string"}}


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("x = 1\ny = 1 / 0", "tools.py, line 2: the import fails: ZeroDivisionError: division by zero"),
        ("def f(:", "line 1: the import fails: SyntaxError"),
        ("import nothing_of_that_name", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("raise SystemExit(4)", "the process ended with exit code 4"),
        ("import os; os._exit(0)", "the process ended with exit code 0"),
        ("x = 1", "no function that can be a tool: it has no public functions"),
        ("def f(x): 'Does.'", "f: the parameter x has no type"),
        ("def f(x: int): pass", "f: it has no docstring"),
        ("def f(x: complex): 'Does.'", "f: the parameter x has the type complex"),
        ("def f(*x: int): 'Does.'", "f: the parameter *x: int cannot be named in a call"),
        ("def f(x: 'Nothing'): 'Does.'", "f: its types cannot be read: name 'Nothing' is not defined"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, code: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        tools(tmp_path, code)
    assert why in caught.value.message
