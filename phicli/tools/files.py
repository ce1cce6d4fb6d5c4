"""Files that declare tools: JSON, and Python files whose functions become tools."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from phicli.errors import NotFoundError, UsageError, reason_of
from phicli.paths import expand
from phicli.tools.reading import parse_tools, unique
from phicli.tools.types import Tool
from phicli.units import format_bytes

_MOST_BYTES: Final = 4 << 20
_HINT: Final = "name a JSON or Python file that declares tools; see docs/scripting.md"


def read_tools(names: Sequence[str], tell: Callable[[str], None] = lambda _: None) -> tuple[Tool, ...]:
    """The tools that the files called ``names`` declare, in their order; their schemas are not checked yet.

    ``tell`` gets a line about a Python file whose import takes long, and about each function of it that is left out.

    Raises:
        NotFoundError: a file does not exist.
        UsageError: a file cannot be read or declares no tools, or two tools have one name.
    """
    return unique([(name, tool) for name in dict.fromkeys(names) for tool in _read(name, tell)])


def _read(name: str, tell: Callable[[str], None]) -> Sequence[Tool]:
    if name.lstrip().startswith(("[", "{")):
        raise UsageError("--tools takes the name of a file, not JSON", "save the JSON in a file: --tools tools.json")
    path = expand(name)
    content = _content(path, name)
    if path.suffix == ".py":
        from phicli.tools.python_file import tools_in

        return tools_in(path, name, tell)
    try:
        return parse_tools(content.decode("utf-8-sig"), name)
    except UnicodeDecodeError as error:
        byte = f"byte 0x{content[error.start]:02x} at offset {error.start}"
        raise UsageError(f"{name} is not UTF-8 text: {byte}", "convert the file to UTF-8 first") from None


def _content(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise NotFoundError(f"the file {name} does not exist", _HINT) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{name} cannot be read: {reason_of(error)}", _HINT) from error
    if len(content) > _MOST_BYTES:
        raise UsageError(f"{name} has more than {format_bytes(_MOST_BYTES)}", _HINT)
    return content
