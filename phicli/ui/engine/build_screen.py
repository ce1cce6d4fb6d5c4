"""Shows the progress and the result of a build of kernels."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from phicli.kernels.build import Outcome
from phicli.ui.envelope import print_result
from phicli.ui.status import StatusLine
from phicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_LINE_EVERY_S: Final = 10.0


class BuildScreen:
    """An observer of a build for people, on standard error: a bar on a terminal, else a line for each phase."""

    def __init__(self, terminal: Terminal, *, quiet: bool = False) -> None:
        self._terminal = terminal
        self._quiet = quiet
        self._status = StatusLine(terminal, enabled=not quiet, delay_s=0)
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._phase = ""
        self._began = self._last_line = monotonic()

    def phase(self, text: str) -> None:
        """Show the phase that begins or continues."""
        begins = text != self._phase
        if begins:
            self._close_bar()
            self._phase, self._began = text, monotonic()
        if self._terminal.shows_progress:
            self._status.update(text)
        elif begins and not self._quiet:
            self._terminal.say(text)

    def progress(self, done: int, total: int) -> None:
        """Move the bar of this phase; without a terminal, print a line every ten seconds."""
        if self._quiet:
            return
        if not self._terminal.shows_progress:
            self._line(done, total)
            return
        if self._progress is None or self._task is None:
            from phicli.ui.engine.step_bar import step_bar

            self._status.clear()
            self._progress = step_bar(self._terminal)
            self._task = self._progress.add_task(self._phase, total=total)
            self._progress.start()
        self._progress.update(self._task, completed=done, total=total)

    def notice(self, text: str) -> None:
        """Print a line above the progress."""
        if not self._quiet:
            self._close()
            self._terminal.say(text)

    def log_end(self, lines: Sequence[str]) -> None:
        """Print the last lines of the log of a failed step."""
        self._close()
        for line in lines:
            self._terminal.say(f"  {line}")

    def _line(self, done: int, total: int) -> None:
        now = monotonic()
        if now - self._last_line < _LINE_EVERY_S or not done or done >= total:
            return
        self._last_line = now
        left = (now - self._began) * (total - done) / done
        self._terminal.say(f"{self._phase}: {done} of {total}, about {left:.0f} s left")

    def _close_bar(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = self._task = None

    def __enter__(self) -> BuildScreen:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        self._status.clear()
        self._close_bar()


def print_outcome(terminal: Terminal, outcome: Outcome, *, quiet: bool, as_json: bool) -> None:
    """Print the result of a build: the path of the saved module to standard output, the rest to standard error."""
    if as_json:
        print_result(terminal, "engine build", outcome_data(outcome))
        return
    if not quiet:
        for line in outcome_lines(outcome):
            terminal.say(line)
    if outcome.kernels is not None:
        terminal.write_line(str(outcome.kernels.path))


def outcome_lines(outcome: Outcome) -> list[str]:
    """The result of a build as lines of text."""
    kernels, speed = outcome.kernels, ""
    if outcome.ratios is not None:
        speed = f"prompts {outcome.ratios[0]:.2f} times as fast, generation {outcome.ratios[1]:.2f} times"
    if kernels is None:
        if outcome.ratios is None:
            return [f"nothing to build: {outcome.reason}"]
        return [f"{speed}: {outcome.reason}", "to save them anyway: phi engine use native, then phi engine build"]
    if not outcome.built:
        return [f"{kernels.variant} kernels: {outcome.reason}; see them: phi engine list"]
    used = "phi uses them from now on" if outcome.in_use else "phi does not use them now; see why: phi engine list"
    return [f"{kernels.variant} kernels are ready ({', '.join(outcome.gains)}): {speed}", used]


def outcome_data(outcome: Outcome) -> dict[str, Any]:
    """The ``data`` of ``engine build --json``; the ratios are null where nothing was measured."""
    kernels = outcome.kernels
    ratios = outcome.ratios or ((kernels.prompt_ratio, kernels.decode_ratio) if kernels else (None, None))
    return {
        "built": outcome.built,
        "saved": kernels is not None,
        "in_use": outcome.in_use,
        "reason": outcome.reason,
        "kernels": kernels.variant if kernels else None,
        "engine": kernels.engine if kernels else None,
        "processor": kernels.processor if kernels else None,
        "path": str(kernels.path) if kernels else None,
        "size_bytes": kernels.size_bytes if kernels else None,
        "sha256": kernels.sha256 if kernels else None,
        "sources_sha256": kernels.sources_sha256 if kernels else None,
        "gained_instruction_sets": list(outcome.gains),
        "prompt_ratio": ratios[0],
        "decode_ratio": ratios[1],
    }
