"""What ``phi adapters add`` and ``merge`` show."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from phicli.adapters.adding import Added
from phicli.adapters.bases import fitting_models
from phicli.adapters.description import AdapterDescription, describe
from phicli.engine.types import Adapter
from phicli.errors import UsageError, disk_full, is_disk_full
from phicli.ui.adapters.data import adapter_data
from phicli.ui.adapters.listing import base_text
from phicli.ui.columns import aligned
from phicli.ui.envelope import print_result
from phicli.ui.pull_screen import result_data, result_lines
from phicli.ui.status import StatusLine
from phicli.ui.terminal import Terminal
from phicli.ui.tidy_end import tidy_end
from phicli.units import format_bytes, how_far

if TYPE_CHECKING:
    from phicli.adapters.merging import Merge, Merged
    from phicli.adapters.registry import RegisteredAdapter
    from phicli.hub.download.pull import PullResult


@contextlib.contextmanager
def progress(terminal: Terminal, what: str) -> Iterator[Callable[[int, int], None]]:
    """A line on standard error that says how far it is; SIGTERM ends the process as Ctrl-C does meanwhile."""
    with tidy_end(), StatusLine(terminal) as line:
        yield lambda done, total: line.update(how_far(what, done, total))


@contextlib.contextmanager
def writing_to(target: Path) -> Iterator[None]:
    """Errors of writing ``target`` in words.

    Raises:
        DoesNotFitError: its disk is full.
        UsageError: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise disk_full(target) from error
        message = f"{target} cannot be written: {error.strerror or error}"
        raise UsageError(message, "give the name of a new file in a folder that you can write to") from error


def print_added(terminal: Terminal, added: Added, *, as_json: bool) -> None:
    """What the adapter is called now, and how to use it."""
    shown = AdapterDescription(added.adapter, added.header, fitting_models(added.header))
    if as_json:
        print_result(terminal, "adapters add", adapter_data(shown) | {"already": added.already})
        return
    adapter = added.adapter
    rows = [("name", adapter.name), ("base model", base_text(shown)), ("path", str(adapter.path))]
    terminal.write("\n".join(aligned([*rows, ("size", format_bytes(adapter.size_bytes))])) + "\n")
    state = "was already added" if added.already and not added.converted else "is ready"
    terminal.say(_ready(shown, state))


def print_pulled(terminal: Terminal, result: PullResult, added: Added, *, quiet: bool, as_json: bool) -> None:
    """What was downloaded, and what it is called now; the path of the file is on standard output."""
    shown = AdapterDescription(added.adapter, added.header, fitting_models(added.header))
    if as_json:
        print_result(terminal, "pull", result_data(result) | {"adapter": adapter_data(shown)})
        return
    if not quiet:
        terminal.say(result_lines(result))
        terminal.say(_ready(shown))
    terminal.write_line(str(added.adapter.path))


def print_known(terminal: Terminal, adapter: RegisteredAdapter, *, as_json: bool) -> None:
    """An adapter that was downloaded before."""
    if as_json:
        print_result(
            terminal, "pull", {"model": adapter.source, "was_there": True, "adapter": adapter_data(describe(adapter))}
        )
        return
    terminal.say(f"{adapter.source} is already downloaded, as the adapter {adapter.name}")
    terminal.write_line(str(adapter.path))


def print_merged(terminal: Terminal, what: Merge, done: Merged, *, as_json: bool) -> None:
    """What was written, and how to use it."""
    data = {
        "path": str(done.path), "size_bytes": done.size_bytes, "model": what.model, "adapter": what.adapter_name,
        "scale": what.scale, "changed_tensors": done.tensors,
    }  # fmt: skip
    if as_json:
        print_result(terminal, "adapters merge", data)
        return
    adapter = Adapter(done.path, what.scale).typed_as(what.adapter_name)
    terminal.say(f"{adapter} is merged into {what.model}: phi chat {shlex.quote(str(done.path))}")
    terminal.write_line(str(done.path))


def _ready(shown: AdapterDescription, state: str = "is ready") -> str:
    adapter = shown.adapter
    model = adapter.base_model or (shown.fits[0] if len(shown.fits) == 1 else "MODEL")
    return f"the adapter {adapter.name} {state}: phi chat {shlex.quote(model)} --adapter {adapter.name}"
