"""What is made of the table of commands: the help, and the table in the documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from phicli.chat.commands.table import BY_NAME, COMMANDS, documentation, help_of, help_text
from phicli.ui.wrapping import hanging, wrapped

DOCUMENT = Path(__file__).parents[2] / "docs" / "chat.md"


def test_help_fits_on_a_screen_with_a_prompt_and_a_meter() -> None:
    lines = help_text().splitlines()
    assert len(lines) <= 24 - 2
    assert max(map(len, lines)) < 80


def test_help_wraps_in_a_narrow_terminal_behind_an_indent() -> None:
    for line in help_text().splitlines():
        first, *others = wrapped(line, 40, indent=hanging(line, 40)).splitlines()
        assert all(len(one) <= 40 for one in (first, *others))
        assert all(one.startswith("  ") for one in others)


@pytest.mark.parametrize(("width", "indent"), [(80, 13), (20, 2)])
def test_a_line_goes_on_below_its_last_column_where_there_is_space(width: int, indent: int) -> None:
    assert hanging("temperature  between 0 and 100", width) == indent


def test_commands_of_a_group_stand_together() -> None:
    groups = [command.group for command in COMMANDS]
    assert sorted(groups, key=list(dict.fromkeys(groups)).index) == groups


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
def test_the_help_of_a_command_has_its_argument_and_its_other_names(name: str) -> None:
    command = BY_NAME[name]
    text = help_of(command)
    assert text.startswith(f"{command.usage}  {command.help}")
    assert all(alias in text for alias in command.aliases)
    assert "`" not in text


def test_the_documentation_has_the_table_of_commands() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    table = text.partition("<!-- table of commands -->\n")[2].partition("\n<!-- end of table -->")[0]
    assert table == documentation(), "copy what phicli.chat.commands.table.documentation() returns"
