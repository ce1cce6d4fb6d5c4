"""Values of the command line are what Typer makes of them, and plain ones do not cost the loading of pydantic."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.core import TyperCommand

from phicli.commands import SUMMARIES
from phicli.commands.parameters import PlainCommand


def _seen(
    text: Annotated[str | None, typer.Option("--text", envvar="PHI_TEST_TEXT")] = None,
    number: Annotated[int | None, typer.Option("--number", min=1, max=1024)] = None,
    tight: Annotated[int, typer.Option("--clamped", min=1, max=9, clamp=True)] = 3,
    rate: Annotated[float | None, typer.Option("--rate", min=0)] = None,
    path: Annotated[Path | None, typer.Option("--path")] = None,
    many: Annotated[list[str] | None, typer.Option("--many")] = None,
    wanted: Annotated[bool, typer.Option("--wanted")] = False,
    words: Annotated[list[str] | None, typer.Argument()] = None,
) -> dict[str, Any]:
    return dict(locals())


def outcome(cls: type[TyperCommand], arguments: list[str]) -> tuple[str, Any]:
    """What the function gets, or how the command line is refused."""
    app = typer.Typer(rich_markup_mode=None, add_completion=False)
    app.command("seen", cls=cls)(_seen)
    try:
        return "got", typer.main.get_command(app)(args=arguments, prog_name="seen", standalone_mode=False)
    except typer.TyperException as error:
        return type(error).__name__, error.format_message() if hasattr(error, "format_message") else str(error)


LINES = [
    [],
    ["--text", "a"], ["--text", ""], ["--text", "é😀"], ["--text", "bad \udcff"], ["--text", " a "], ["--text", "None"],
    *(["--number", value] for value in ("1", "0", "1024", "1025", "-1", "+8", " 8 ", "8.0", "8.5", "1_000", "x", "",
                                         "٣", "9" * 30, "1e3", "0x10", "nan")),
    *(["--clamped", value] for value in ("0", "5", "50", "x")),
    *(["--rate", value] for value in ("1", "0.5", ".5", "-1", "1e3", "nan", "inf", "-0", "x", "0" * 40, "1.")),
    ["--path", "a/b"], ["--path", ""],
    ["--many", "a", "--many", "b"], ["--many", ""], ["--many", "\udcff"],
    ["--wanted"], ["one", "two"], ["--", "-x"], ["--text"], ["--nothing"], ["\udcff"],
    ["--number", "8", "--rate", "2.5", "w"],
]  # fmt: skip


@pytest.mark.parametrize("arguments", LINES, ids=range(len(LINES)))
def test_values_and_refusals_are_those_of_typer(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PHI_TEST_TEXT", raising=False)
    ours, theirs = outcome(PlainCommand, arguments), outcome(TyperCommand, arguments)
    assert repr(ours) == repr(theirs)  # repr: nan is not equal to itself, and 1 is not 1.0


def test_variables_of_the_environment_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHI_TEST_TEXT", "from outside")
    assert outcome(PlainCommand, []) == outcome(TyperCommand, [])
    assert outcome(PlainCommand, [])[1]["text"] == "from outside"


PLAIN = [
    ["--help"],
    *([name, "--help"] for name in SUMMARIES),
    ["recommend", "--ram", "16G"],
    ["recommend", "--ram", "16G", "--context", "4096", "--min-tps", "2.5", "--json"],
    ["chat", "tiny-phi", "What is the capital of France?"],
    ["chat", "tiny-phi", "What is the capital of France?", "--seed", "1", "--stop", "END", "--json"],
]


@pytest.mark.process
@pytest.mark.parametrize("arguments", PLAIN, ids=" ".join)
def test_plain_command_lines_do_not_load_pydantic(arguments: list[str], environment: dict[str, str]) -> None:
    code = (
        "import sys\n"
        "from phicli.app import main\n"
        f"code = main({arguments!r})\n"
        "sys.exit(100 if 'pydantic' in sys.modules else code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.process
def test_a_number_that_makes_no_sense_is_told_as_ever() -> None:
    code = "import sys\nfrom phicli.app import main\nsys.exit(main(['recommend', '--cores', 'x']))\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--cores" in done.stderr
