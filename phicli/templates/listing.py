"""The templates that there are, for a list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from phicli.errors import PhiError
from phicli.templates.finding import all_names, built_in_names, find_template, own_names, own_path
from phicli.templates.types import Origin, Template, TemplateFile


@dataclass(frozen=True, slots=True)
class TemplateRow:
    """A template in a list.

    Attributes:
        name: what ``--template`` takes.
        origin: where it is.
        replaces: whether it is a person's own, used in place of a built-in one of the same name.
        path: its file.
        template: what was read; None where it has a problem.
        problem: what is wrong with it; None where nothing is.
    """

    name: str
    origin: Origin
    replaces: bool
    path: Path
    template: Template | None = None
    problem: PhiError | None = None


def list_templates(read: Callable[[TemplateFile], Template]) -> tuple[TemplateRow, ...]:
    """A row for each template, by name; ``read`` reads and checks one."""
    own, built_in = own_names(), built_in_names()
    return tuple(_row(name, mine=name in own, shipped=name in built_in, read=read) for name in all_names())


def _row(name: str, *, mine: bool, shipped: bool, read: Callable[[TemplateFile], Template]) -> TemplateRow:
    replaces = mine and shipped
    try:
        file = find_template(name)
    except PhiError as error:
        return TemplateRow(name, "yours", replaces, own_path(name), problem=error)
    try:
        return TemplateRow(name, file.origin, replaces, file.path, read(file))
    except PhiError as error:
        return TemplateRow(name, file.origin, replaces, file.path, problem=error)
