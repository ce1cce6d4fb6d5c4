"""What ``phi templates list`` prints: a table on a terminal, aligned columns in a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from phicli.templates.listing import TemplateRow
from phicli.ui.envelope import print_result
from phicli.ui.tables import Column, print_rows
from phicli.ui.terminal import Terminal, one_line

_NAME, _DESCRIPTION = Column("name"), Column("description", least=24)
_FROM, _VARIABLES = Column("from"), Column("variables", least=12)
_LAYOUTS: Final = ((_NAME, _DESCRIPTION, _VARIABLES, _FROM), (_NAME, _DESCRIPTION, _FROM), (_NAME, _DESCRIPTION))
_LIST: Final = "templates list"


def print_templates(terminal: Terminal, folder: Path, rows: Sequence[TemplateRow], *, as_json: bool) -> None:
    """The templates on standard output; those with an error, and where a person's own are, on standard error.

    Raises:
        OutputClosedError: the reader has closed it.
    """
    if as_json:
        print_result(terminal, _LIST, {"folder": str(folder), "templates": [_data(row) for row in rows]})
        return
    print_rows(terminal, _LAYOUTS, [_cells(row) for row in rows])
    for row in rows:
        if row.problem is not None:
            terminal.alarm("warning:", row.problem.message)
            terminal.say(f"  {row.problem.hint_for(_LIST)}")
    if terminal.stdout.isatty():
        terminal.say(f"to use one: phi chat -T NAME; to change one: phi templates edit NAME; yours are in {folder}")


def _cells(row: TemplateRow) -> dict[str, str]:
    template = row.template
    origin = "yours, replaces the built-in one" if row.replaces else row.origin
    cells = {
        "name": row.name,
        "description": "has an error" if template is None else template.description,
        "variables": "" if template is None else ", ".join(template.variables),
        "from": origin,
    }
    return {key: one_line(text) for key, text in cells.items()}


def _data(row: TemplateRow) -> dict[str, Any]:
    template, problem = row.template, row.problem
    return {
        "name": row.name,
        "description": None if template is None else template.description,
        "variables": [] if template is None else list(template.variables),
        "takes_input": None if template is None else template.takes_input,
        "origin": row.origin,
        "replaces_built_in": row.replaces,
        "path": str(row.path),
        "problem": None if problem is None else {"message": problem.message, "hint": problem.hint_for(_LIST)},
    }
