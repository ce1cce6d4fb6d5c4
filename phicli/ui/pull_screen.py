"""Shows how a download goes, and what came of it."""

from __future__ import annotations

from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any

from phicli.catalog.display_name import with_quant
from phicli.hub.download.planning import PullPlan
from phicli.hub.download.pull import PullResult
from phicli.ui.status import StatusLine
from phicli.ui.terminal import Terminal, one_line
from phicli.units import format_bytes

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_LINE_EVERY_S = 10.0


class PullScreen:
    """An observer of a pull for people: a bar on a terminal, now and then a line off it, all on stderr.

    The bar counts bytes on disk. It starts at what was there before; speed and time left are of what arrives now.
    """

    def __init__(self, terminal: Terminal, *, quiet: bool = False) -> None:
        self._terminal = terminal
        self._quiet = quiet
        self._status = StatusLine(terminal, enabled=not quiet)
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._done = 0
        self._began = self._last_line = monotonic()

    def announce(self, plan: PullPlan) -> None:
        """Say what will be downloaded from where, before it begins."""
        self._status.clear()
        if self._quiet or plan.model is None:
            return
        repo = plan.model.repo
        known = plan.request.variant.license if plan.request.variant else None
        what = with_quant(plan.request.variant.id if plan.request.variant else repo.repo, plan.model.quant)
        parts = f" in {len(plan.model.files)} parts" if len(plan.model.files) > 1 else ""
        self._say(
            f"{what}: {plan.model.name}{parts}, {format_bytes(plan.model.size_bytes)}, license "
            f"{known or repo.license or 'not stated'}, from {repo.repo} at {repo.commit[:12]}"
        )
        if plan.kept_bytes and plan.missing_bytes:
            self._say(
                f"{format_bytes(plan.kept_bytes)} are already downloaded, {format_bytes(plan.missing_bytes)} to go"
            )

    def notice(self, text: str) -> None:
        """Print a line above whatever is shown."""
        if not self._quiet:
            self._say(text)

    def phase(self, text: str) -> None:
        """Show what goes on while no bytes arrive."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=text)
        else:
            self._status.update(text)

    def progress(self, done_bytes: int, total_bytes: int, resumed_from_bytes: int) -> None:
        """Move the bar; where everything starts again (a damaged file), so does the bar."""
        if self._quiet:
            self._done = done_bytes
            return
        if not self._terminal.shows_progress:
            self._line(done_bytes, total_bytes, resumed_from_bytes)
            return
        if self._progress is None:
            self._status.clear()
            self._progress = self._bar()
            self._progress.start()
        if self._task is None or done_bytes < self._done:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._task = self._progress.add_task("downloading", total=total_bytes, completed=done_bytes)
        self._done = done_bytes
        self._progress.update(self._task, completed=done_bytes, description="downloading")

    def close(self) -> None:
        """Remove what moves; what was said stays."""
        self._status.clear()
        if self._progress is not None:
            self._progress.stop()
            self._progress = self._task = None

    def kept(self, plan: PullPlan) -> str:
        """After an interruption: what is not lost, empty when nothing had arrived."""
        self.close()
        if not self._done or plan.model is None:
            return ""
        return f"{format_bytes(self._done)} of {format_bytes(plan.model.size_bytes)} are saved"

    def __enter__(self) -> PullScreen:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _say(self, text: str) -> None:
        if self._progress is not None:
            from rich.text import Text

            from phicli.ui.wrapping import wrapped

            console = self._progress.console
            console.print(Text(wrapped(one_line(text), console.width)), soft_wrap=True)
        else:
            self._status.clear()
            self._terminal.say(text)

    def _line(self, done: int, total: int, resumed: int) -> None:
        now = monotonic()
        if done < self._done or not self._done:
            self._began = now
        self._done = done
        if now - self._last_line < _LINE_EVERY_S or done >= total:
            return
        self._last_line = now
        rate = (done - resumed) / max(now - self._began, 0.001)
        left = f", {(total - done) / rate:.0f} s left" if rate > 0 else ""
        self._terminal.say(f"{100 * done // total} % of {format_bytes(total)}, {format_bytes(round(rate))}/s{left}")

    def _bar(self) -> Progress:
        from phicli.ui.download_bar import download_bar

        return download_bar(self._terminal)


def result_lines(result: PullResult) -> str:
    """What came of it, for people."""
    size = format_bytes(result.size_bytes)
    sure = f"sha256 {result.sha256} verified" if result.verified else "no published hash is known"
    if result.was_there:
        return f"{result.name} is already downloaded: {size}, {sure}"
    took = f"{format_bytes(result.downloaded_bytes)} in {result.elapsed_s:.1f} s"
    resumed = f", {format_bytes(result.resumed_from_bytes)} were downloaded before" if result.resumed_from_bytes else ""
    return f"{result.name} is ready: {took}{resumed}; {sure}"


def result_data(result: PullResult) -> dict[str, Any]:
    """The ``data`` of ``pull --json``."""
    return {
        "model": result.name, "quant": result.quant, "repo": result.repo, "revision": result.revision,
        "filename": result.filename, "path": str(result.path), "size_bytes": result.size_bytes,
        "sha256": result.sha256, "verified": result.verified, "downloaded_bytes": result.downloaded_bytes,
        "resumed_from_bytes": result.resumed_from_bytes, "elapsed_s": round(result.elapsed_s, 3),
        "was_there": result.was_there,
    }  # fmt: skip


def plan_data(plan: PullPlan) -> dict[str, Any]:
    """The ``data`` of ``pull --dry-run --json``: the same names, for what would be done."""
    present, model = plan.present, plan.model
    if present is not None:
        return {
            "model": plan.request.name, "quant": present.quant, "repo": present.repo, "revision": present.revision,
            "filename": present.filename, "path": str(present.path), "size_bytes": present.size_bytes,
            "to_download_bytes": 0, "was_there": True,
        }  # fmt: skip
    assert model is not None  # noqa: S101 - a plan has one or the other
    return {
        "model": plan.request.name, "quant": model.quant, "repo": model.repo.repo, "revision": model.repo.commit,
        "license": model.repo.license, "gated": model.repo.gated, "size_bytes": model.size_bytes,
        "files": [{"filename": f.name, "size_bytes": f.size_bytes, "sha256": f.sha256} for f in model.files],
        "to_download_bytes": plan.missing_bytes, "free_bytes": plan.free_bytes, "folder": str(plan.folder),
        "was_there": False,
    }  # fmt: skip
