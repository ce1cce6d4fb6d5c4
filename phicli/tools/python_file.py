"""Python files whose functions become tools: imported in a process of their own, which only describes them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

from phicli.errors import UsageError
from phicli.interruptions import interrupted_afterwards
from phicli.tools.reading import tool_of
from phicli.tools.types import Tool

_TIMEOUT_S: Final = 30.0
_PATIENCE_S: Final = 1.0
_MOST_CHARACTERS: Final = 300


def tools_in(
    path: Path, name: str, tell: Callable[[str], None] = lambda _: None, *, timeout_s: float = _TIMEOUT_S
) -> Sequence[Tool]:
    """The functions of the Python file at ``path``, called ``name`` in errors, that are typed and have a docstring.

    Nothing but the import is run, in a process that ends with it, or with an interruption. ``tell`` gets a line if it
    takes more than a second, and one for each function that was left out, with the reason.

    Raises:
        UsageError: the import fails or does not end in ``timeout_s``, or the file has no such function.
    """
    command = [sys.executable, "-m", "phicli.tools.describe", str(path.absolute())]
    waits = f"waiting for the import of {name}, at most {timeout_s:g} s"
    try:
        done = _finished(command, timeout_s, lambda: tell(waits))
    except subprocess.TimeoutExpired:
        raise UsageError(
            f"the import of {name} did not end within {timeout_s:g} s", "keep what takes time inside of functions"
        ) from None
    described = _described(done, path, name)
    if not described["tools"]:
        left_out = "; ".join([*described["left_out"], *described["helpers"]]) or "it has no public functions"
        raise UsageError(
            f"{name} has no function that can be a tool: {left_out}",
            "a tool is a function with a docstring and a type for each parameter",
        )
    tools = [tool_of(tool, f"{name}: {tool['name']}") for tool in described["tools"]]
    for reason in described["left_out"]:
        tell(f"note: {name}: not a tool: {reason}")
    return tools


def _finished(
    command: Sequence[str], timeout_s: float, on_wait: Callable[[], None]
) -> subprocess.CompletedProcess[str]:
    """How ``command`` ended; what it started meanwhile ends with it if it is late, or interrupted.

    It writes to files, because a pipe stays open as long as anything that it started.

    Raises:
        subprocess.TimeoutExpired: it did not end in time.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process: subprocess.Popen[bytes] | None = None
        try:
            with interrupted_afterwards():
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=sys.platform != "win32"
                )
            try:
                process.wait(min(_PATIENCE_S, timeout_s))
            except subprocess.TimeoutExpired:
                on_wait()
                process.wait(max(timeout_s - _PATIENCE_S, 0))
        except BaseException:
            if process is not None:
                _kill(process)
            raise
        texts = [_text_in(file) for file in (out, err)]
    return subprocess.CompletedProcess(command, process.returncode, *texts)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End ``process`` and what it started."""
    if sys.platform == "win32":
        process.kill()
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _text_in(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", errors="replace")


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
