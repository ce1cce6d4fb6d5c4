"""Finds the other engines on this machine: programs on PATH."""

from __future__ import annotations

from collections.abc import Iterator

from phicli.doctor.types import ProgramFacts
from phicli.engine.starting import ENGINES, build_of, find_program
from phicli.errors import EngineError, NotFoundError


def programs_on_path() -> Iterator[ProgramFacts]:
    """Each engine that is a program on PATH. It is not a problem if there are none."""
    for name, kind in ENGINES.items():
        if kind.program is None:
            continue
        try:
            path = find_program(name)
        except NotFoundError:
            continue
        try:
            yield ProgramFacts(name, str(path), build_of(name, path))
        except (EngineError, NotFoundError) as error:
            yield ProgramFacts(name, str(path), None, error.message)
