"""Functions of a Python file that become tools."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import psutil
import pytest

from phicli.errors import UsageError
from phicli.tools.python_file import tools_in
from phicli.tools.types import Tool
from tests.support.waiting import wait_until

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
        ("def f(x): pass", "no function that can be a tool: f: it has no docstring"),
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


def test_functions_that_are_left_out_are_named(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("def imported(x):\n    'Does.'\n", encoding="utf-8")
    code = """
        import datetime, decimal, functools, pathlib
        from dataclasses import dataclass
        from typing import TypedDict
        from beside import imported

        @dataclass
        class Point:
            x: int

        class Movie(TypedDict):
            title: str

        def good(a: int): 'Does.'

        @functools.cache
        def saved(a: int): 'Does.'

        def helper(a, b): return a
        def _private(a): 'Does.'
        def plain(a: int) -> int: return a
        def when(day: datetime.date): 'Does.'
        def rest(*args: int): 'Does.'
        def place(a: int, /): 'Does.'
        def at(point: Point): 'Does.'
        def seen(movie: Movie): 'Does.'
        def read(path: pathlib.Path): 'Does.'
        def pay(sum: decimal.Decimal): 'Does.'
        def send(data: bytes | None): 'Does.'
    """
    path, told = tmp_path / "tools.py", list[str]()
    path.write_text(textwrap.dedent(code), encoding="utf-8")
    assert [tool.name for tool in tools_in(path, "tools.py", told.append)] == ["good", "saved"]
    assert told == [
        f"note: tools.py: not a tool: {reason}"
        for reason in (
            "plain: it has no docstring",
            "when: the parameter day has the type date",
            "rest: the parameter *args: int cannot be named in a call",
            "place: the parameter a: int cannot be named in a call",
            "at: the parameter point has the type Point",
            "seen: the parameter movie has the type Movie",
            "read: the parameter path has the type Path",
            "pay: the parameter sum has the type Decimal",
            "send: the parameter data has the type bytes",
        )
    ]


FUNCTION = 'def f(city: str):\n    """Does."""\n'


def test_a_long_import_is_announced_and_a_short_one_is_not(tmp_path: Path) -> None:
    """The import goes on only when the wait was announced."""
    path, announced = tmp_path / "tools.py", tmp_path / "announced"
    path.write_text(
        f"import pathlib, time\nwhile not pathlib.Path({str(announced)!r}).exists():\n    time.sleep(0.01)\n{FUNCTION}"
    )
    said: list[str] = []

    def on_wait(text: str) -> None:
        said.append(text)
        announced.touch()

    assert [tool.name for tool in tools_in(path, "tools.py", on_wait)] == ["f"]
    assert said == ["waiting for the import of tools.py, at most 30 s"]


def lasting(folder: Path, number: Path) -> Path:
    """A file whose import starts a program that does not end, and writes its process id to ``number``."""
    path = folder / "tools.py"
    path.write_text(
        "import os, pathlib, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(folder)!r}, 'part').write_text(str(child.pid))\n"
        f"os.replace(pathlib.Path({str(folder)!r}, 'part'), {str(number)!r})\n"
        "child.wait()\n"
    )
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="the other programs of an import are not ended there")
def test_an_import_that_does_not_end_is_ended_with_what_it_started(tmp_path: Path) -> None:
    number = tmp_path / "number"
    with pytest.raises(UsageError) as caught:
        tools_in(lasting(tmp_path, number), "tools.py", lambda _: wait_until(number.exists), timeout_s=1.1)
    assert caught.value.message == "the import of tools.py did not end within 1.1 s"
    assert caught.value.hint == "keep what takes time inside of functions"
    wait_until(lambda: not psutil.pid_exists(int(number.read_text())) or is_over(int(number.read_text())))


@pytest.mark.skipif(sys.platform == "win32", reason="there Ctrl-C comes from a console")
def test_ctrl_c_ends_the_import(environment: dict[str, str], tmp_path: Path) -> None:
    number = tmp_path / "number"
    command = [sys.executable, "-m", "phicli", "chat", "tiny-phi", "hi", "--tools", str(lasting(tmp_path, number))]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_until(number.exists)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, b"")
    wait_until(lambda: not psutil.pid_exists(int(number.read_text())) or is_over(int(number.read_text())))


def test_ctrl_c_while_the_process_of_the_import_is_made_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As early as can be: before anybody knows that there is a process."""
    make, started = subprocess.Popen.__init__, list[subprocess.Popen[bytes]]()

    def interrupted(self: subprocess.Popen[bytes], *given: Any, **more: Any) -> None:
        make(self, *given, **more)
        started.append(self)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(subprocess.Popen, "__init__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tools_in(lasting(tmp_path, tmp_path / "number"), "tools.py")
    (process,) = started
    assert process.returncode is not None


def is_over(number: int) -> bool:
    """Whether a process only waits until somebody asks how it ended."""
    try:
        return psutil.Process(number).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.skipif(sys.platform == "win32", reason="there a program does not outlive its parent like this")
def test_a_program_that_the_import_leaves_running_is_not_waited_for(tmp_path: Path) -> None:
    code = "import subprocess, sys\nchild = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    path, number = tmp_path / "tools.py", tmp_path / "number"
    path.write_text(f"{code}open({str(number)!r}, 'w').write(str(child.pid))\n{FUNCTION}")
    assert [tool.name for tool in tools_in(path, "tools.py", timeout_s=30)] == ["f"]
    psutil.Process(int(number.read_text())).kill()
