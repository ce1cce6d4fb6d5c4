"""What ``phi cache list`` and ``phi cache verify`` show: a table on a terminal, aligned columns in a pipe."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from phicli.hub import verified
from phicli.hub.disk.inventory import CachedModel, Inventory, PartialDownload
from phicli.hub.disk.verification import Verdict
from phicli.hub.in_place.registry import LocalModel
from phicli.hub.types import Progress
from phicli.ui.columns import aligned
from phicli.ui.envelope import print_result
from phicli.ui.pull_screen import PullScreen
from phicli.ui.status import how_far
from phicli.ui.terminal import Terminal
from phicli.units import format_bytes, format_day

_LIST: Final = ("MODEL", "SIZE", "LAST USED", "VERIFIED", "STATE", "REVISION", "FILE")
_VERIFY: Final = ("MODEL", "SIZE", "RESULT", "SHA256", "PROMISED", "FILE")
_RESULTS: Final = {"unknown": "recorded"}


def print_inventory(terminal: Terminal, found: Inventory, *, as_json: bool) -> None:
    """The files on standard output, the sums on standard error.

    Raises:
        OutputClosedError: nobody reads it any more.
    """
    if as_json:
        print_result(terminal, "cache list", _inventory_data(found))
        return
    rows = [_model_row(model) for model in found.models] + [_local_row(model) for model in found.registered]
    print_rows(terminal, _LIST, rows, right=(1,))
    noun = "model" if len(found.models) == 1 else "models"
    terminal.say(f"{len(found.models)} {noun}, {format_bytes(total_bytes(found))}, in {found.folder}")
    if found.partials:
        size = format_bytes(sum(partial.size_bytes for partial in found.partials))
        terminal.say(f"partial downloads: {len(found.partials)}, {size}; remove what is abandoned: phi cache prune")
    for problem in found.problems:
        terminal.say(problem)


def total_bytes(found: Inventory) -> int:
    """What the models in the cache take on disk, content that several names share once."""
    parts = [part for model in found.models for part in model.parts]
    return sum({os.path.realpath(part.content): part.size_bytes for part in parts}.values())


def hashing(screen: PullScreen) -> Progress:
    """Shows on ``screen`` how far the hashing is."""
    return lambda what, done_bytes, total_bytes: screen.phase(how_far(what, done_bytes, total_bytes))


def verdict_data(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """What ``phi cache verify --json`` carries."""
    files = [
        {
            "model": one.name,
            "path": str(one.path),
            "size_bytes": one.size_bytes,
            "result": one.status,
            "expected_sha256": one.expected_sha256,
            "actual_sha256": one.actual_sha256,
            "reason": one.reason,
        }
        for one in verdicts
    ]
    return {"files": files}


def print_verdicts(terminal: Terminal, verdicts: Sequence[Verdict]) -> None:
    """One line a file.

    Raises:
        OutputClosedError: nobody reads it any more.
    """
    rows = [
        [
            one.name, format_bytes(one.size_bytes), _RESULTS.get(one.status, one.status), one.actual_sha256 or "",
            (one.expected_sha256 or "") if one.status == "bad" else "", one.path.name,
        ]
        for one in verdicts
    ]  # fmt: skip
    print_rows(terminal, _VERIFY, rows, right=(1,))
    if not rows:
        terminal.say("there is nothing to verify; get a model: phi pull phi-4-mini")
    if any(one.status == "unknown" for one in verdicts):
        terminal.say("recorded: nobody promised a hash; the next time it is compared with this one")


def print_rows(
    terminal: Terminal, titles: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int]
) -> None:
    """A table to standard output, nothing when it has no rows."""
    if not rows:
        return
    if not terminal.stdout.isatty():
        terminal.write("\n".join(aligned([titles, *rows], right=right)) + "\n")
        return
    from rich.table import Table

    from phicli.ui.canvas import Canvas, safe_text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, title in enumerate(titles):
        table.add_column(title.lower(), justify="right" if place in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(safe_text(cell) for cell in row))
    Canvas(terminal).paint([table])


def _model_row(model: CachedModel) -> list[str]:
    return [
        model.name, format_bytes(model.size_bytes), _day(model.last_used), _day(model.verified_at),
        model.problem or "ok", model.revisions[0][:8], f"{model.repo}/{model.filename}",
    ]  # fmt: skip


def _local_row(model: LocalModel) -> list[str]:
    state = "in place" if model.path.exists() else "the file is gone"
    return [model.name, format_bytes(model.size_bytes), "", _day(_verified_at(model)), state, "", str(model.path)]


def _verified_at(model: LocalModel) -> float | None:
    record = verified.recorded(model.path)
    return record.verified_at if record else None


def _day(seconds: float | None) -> str:
    return "" if seconds is None else format_day(seconds)


def _inventory_data(found: Inventory) -> dict[str, Any]:
    return {
        "folder": str(found.folder),
        "total_bytes": total_bytes(found),
        "models": [model_data(model) for model in found.models],
        "registered": [_local_data(model) for model in found.registered],
        "partials": [partial_data(partial) for partial in found.partials],
        "problems": list(found.problems),
    }


def model_data(model: CachedModel) -> dict[str, Any]:
    """A model in the cache, for ``--json``; times are ISO 8601."""
    parts = [
        {"path": str(part.path), "size_bytes": part.size_bytes, "expected_sha256": part.promised_sha256}
        for part in model.parts
    ]
    return {
        "model": model.name, "id": model.variant_id, "quant": model.quant, "repo": model.repo,
        "filename": model.filename, "revisions": list(model.revisions), "path": str(model.path),
        "size_bytes": model.size_bytes, "last_used": _time(model.last_used),
        "last_modified": _time(model.last_modified), "verified": _time(model.verified_at),
        "problem": model.problem, "files": parts,
    }  # fmt: skip


def _local_data(model: LocalModel) -> dict[str, Any]:
    return {
        "model": model.name, "id": model.variant_id, "quant": model.quant, "path": str(model.path),
        "size_bytes": model.size_bytes, "origin": model.origin, "verified": _time(_verified_at(model)),
        "problem": None if model.path.exists() else "the file is gone",
    }  # fmt: skip


def partial_data(partial: PartialDownload) -> dict[str, Any]:
    """A partial download, for ``--json``."""
    return {
        "repo": partial.repo, "path": str(partial.path), "size_bytes": partial.size_bytes,
        "last_modified": _time(partial.modified_at), "resumable": partial.ours,
    }  # fmt: skip


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
