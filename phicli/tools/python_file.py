"""Python files whose functions become tools: imported in a process of their own, which only describes them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from phicli.errors import UsageError
from phicli.tools.reading import tool_of
from phicli.tools.types import Tool

_TIMEOUT_S: Final = 30.0
_MOST_CHARACTERS: Final = 300


def tools_in(path: Path, name: str) -> Sequence[Tool]:
    """The functions of the Python file at ``path``, called ``name`` in errors, that are typed and have a docstring.

    Nothing but the import is run, in a process that ends with it.

    Raises:
        UsageError: the import fails or does not end, or the file has no such function.
    """
    command = [sys.executable, "-m", "phicli.tools.describe", str(path.absolute())]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT_S, check=False,
            text=True, encoding="utf-8", errors="replace",
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise UsageError(
            f"{name} does not end when it is imported: waited {_TIMEOUT_S:g} s",
            "keep what takes time inside of functions",
        ) from None
    described = _described(done, path, name)
    if not described["tools"]:
        left_out = "; ".join(described["left_out"]) or "it has no public functions"
        raise UsageError(
            f"{name} has no function that can be a tool: {left_out}",
            "a tool is a function with a docstring and a type for each parameter",
        )
    return [tool_of(tool, f"{name}: {tool['name']}") for tool in described["tools"]]


def _described(done: subprocess.CompletedProcess[str], path: Path, name: str) -> Mapping[str, Any]:
    """What the process printed; where the import failed, the last line of its error."""
    try:
        described = json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else None
    except ValueError:
        described = None
    if isinstance(described, dict):
        return described
    lines = done.stderr.strip().splitlines()
    why = lines[-1][:_MOST_CHARACTERS] if lines else f"the process ended with exit code {done.returncode}"
    places = re.findall(rf'File "{re.escape(str(path.absolute()))}", line (\d+)', done.stderr)
    place = f", line {places[-1]}" if places else ""
    raise UsageError(f"{name}{place}: the import fails: {why}", f"run it to see more: python {name}")
