"""What ``phi cache list`` and ``phi cache verify`` show: a table on a terminal, aligned columns in a pipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from phicli.hub.disk.inventory import CachedModel, Inventory, ModelInPlace, PartialDownload
from phicli.hub.disk.verification import FileVerdict
from phicli.hub.offline import how_to_get
from phicli.hub.types import Progress
from phicli.plan.model_facts import ModelFacts
from phicli.ui.envelope import print_result
from phicli.ui.pull_screen import PullScreen
from phicli.ui.tables import Column, print_rows
from phicli.ui.terminal import Terminal
from phicli.units import format_bytes, format_count, format_day, format_tokens, how_far

_MODEL, _FOLDED, _SIZE = Column("model"), Column("model", least=24), Column("size", right=True)
_USED, _VERIFIED = Column("last used"), Column("verified")
_WHOLE_STATE, _STATE = Column("state"), Column("state", least=14, key="short state")
_REVISION, _FILE = Column("revision"), Column("file")
_PARAMETERS, _CONTEXT = Column("parameters", right=True), Column("context", right=True)
_NAME = Column("file", key="name")
_LIST: Final = (  # names are kept whole as long as anything else can go
    (_MODEL, _SIZE, _USED, _VERIFIED, _WHOLE_STATE, _REVISION, _PARAMETERS, _CONTEXT, _FILE),
    (_MODEL, _SIZE, _USED, _VERIFIED, _WHOLE_STATE, _REVISION, _FILE),
    (_MODEL, _SIZE, _USED, _VERIFIED, _STATE, _REVISION, _NAME),
    (_MODEL, _SIZE, _USED, _VERIFIED, _STATE, _NAME),
    (_MODEL, _SIZE, _USED, _VERIFIED, _STATE),
    (_MODEL, _SIZE, _STATE),
    (_FOLDED, _SIZE, _USED, _VERIFIED, _STATE),
    (_FOLDED, _SIZE, _STATE),
)
_RESULT, _SHA256, _PROMISED = Column("result"), Column("sha256"), Column("expected")
_SHORT_SHA256, _SHORT_PROMISED = Column("sha256", key="short sha256"), Column("expected", key="short expected")
_VERIFY: Final = (
    (_MODEL, _SIZE, _RESULT, _SHA256, _PROMISED, _FILE),
    (_MODEL, _SIZE, _RESULT, _SHORT_SHA256, _SHORT_PROMISED, _FILE),
    (_MODEL, _SIZE, _RESULT, _SHORT_SHA256, _SHORT_PROMISED),
    (_MODEL, _SIZE, _RESULT),
    (_FOLDED, _SIZE, _RESULT, _SHORT_SHA256, _SHORT_PROMISED),
    (_FOLDED, _SIZE, _RESULT),
)
_SHORT: Final = 12
_GONE: Final = "the file is missing"
_RESULTS: Final = {"unknown": "recorded"}


def print_inventory(terminal: Terminal, found: Inventory, facts: Mapping[Path, ModelFacts], *, as_json: bool) -> None:
    """The files on standard output, the sums on standard error; ``facts`` by the path of the file.

    Raises:
        OutputClosedError: the reader has closed it.
    """
    if as_json:
        print_result(terminal, "cache list", _inventory_data(found, facts))
        return
    rows = [_model_row(model) | _facts_row(facts.get(model.path)) for model in found.models]
    rows += [_local_row(one) | _facts_row(facts.get(one.model.path)) for one in found.in_place]
    if rows:
        print_rows(terminal, _LIST, rows)
    noun = "model" if len(found.models) == 1 else "models"
    terminal.say(f"{len(found.models)} {noun}, {format_bytes(found.models_bytes)}, in {found.folder}")
    if found.partials:
        size = format_bytes(sum(partial.size_bytes for partial in found.partials))
        terminal.say(f"partial downloads: {len(found.partials)}, {size}; to remove abandoned ones: phi cache prune")
    for problem in found.problems:
        terminal.say(problem)
    if damaged := found.damaged_records:
        more = f" and {len(damaged) - 1} more" if len(damaged) > 1 else ""
        terminal.say(
            "not listed, because the record is damaged (register the file again, or delete the record): "
            f"{damaged[0]}{more}"
        )


def hashing(screen: PullScreen) -> Progress:
    """Shows on ``screen`` how far the hashing is."""
    return lambda what, done_bytes, total_bytes: screen.phase(how_far(what, done_bytes, total_bytes))


def verdict_data(verdicts: Sequence[FileVerdict]) -> dict[str, Any]:
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
            "not_fixed": one.not_fixed,
        }
        for one in verdicts
    ]
    return {"files": files}


def print_verdicts(terminal: Terminal, verdicts: Sequence[FileVerdict]) -> None:
    """One line per file.

    Raises:
        OutputClosedError: the reader has closed it.
    """
    rows = [_verdict_row(one) for one in verdicts]
    if rows:
        print_rows(terminal, _VERIFY, rows)
    else:
        terminal.say(f"nothing to verify; {how_to_get('phi-4-mini', 'a model')}")
    if any(one.status == "unknown" for one in verdicts):
        terminal.say("recorded: no published hash is known; the next check compares with this one")


def _model_row(model: CachedModel) -> dict[str, str]:
    state = model.problem or ("linked" if model.linked else "ok")
    return {
        "model": model.name,
        "size": format_bytes(model.size_bytes),
        "last used": _day(model.last_used),
        "verified": _day(model.verified_at),
        "state": state,
        "short state": state.removeprefix(f"{model.path.name} is ").removeprefix(f"{model.path.name} "),
        "revision": model.revisions[0][:8],
        "file": f"{model.repo}/{model.filename}",
        "name": model.path.name,
    }


def _local_row(one: ModelInPlace) -> dict[str, str]:
    model, state = one.model, "in place" if one.is_there else _GONE
    return {
        "model": model.name,
        "size": format_bytes(model.size_bytes),
        "last used": "",
        "verified": _day(one.verified_at),
        "state": state,
        "short state": state,
        "revision": "",
        "file": str(model.path),
        "name": model.path.name,
    }


def _facts_row(facts: ModelFacts | None) -> dict[str, str]:
    parameters, context = (facts.parameters, facts.context_tokens) if facts else (None, None)
    return {
        "parameters": format_count(parameters) if parameters else "",
        "context": format_tokens(context) if context else "",
    }


def _verdict_row(one: FileVerdict) -> dict[str, str]:
    actual = one.actual_sha256 or ""
    promised = (one.expected_sha256 or "") if one.status == "bad" else ""
    return {
        "model": one.name,
        "size": format_bytes(one.size_bytes),
        "result": _RESULTS.get(one.status, one.status),
        "sha256": actual,
        "short sha256": actual[:_SHORT],
        "expected": promised,
        "short expected": promised[:_SHORT],
        "file": one.path.name,
    }


def _day(seconds: float | None) -> str:
    return "" if seconds is None else format_day(seconds)


def _inventory_data(found: Inventory, facts: Mapping[Path, ModelFacts]) -> dict[str, Any]:
    return {
        "folder": str(found.folder),
        "total_bytes": found.models_bytes,
        "models": [model_data(model) | asdict(facts.get(model.path, ModelFacts())) for model in found.models],
        "registered": [_local_data(one) | asdict(facts.get(one.model.path, ModelFacts())) for one in found.in_place],
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
        "problem": model.problem, "linked": model.linked, "files": parts,
    }  # fmt: skip


def _local_data(one: ModelInPlace) -> dict[str, Any]:
    model = one.model
    return {
        "model": model.name, "id": model.variant_id, "quant": model.quant, "path": str(model.path),
        "size_bytes": model.size_bytes, "origin": model.origin, "verified": _time(one.verified_at),
        "problem": None if one.is_there else _GONE,
    }  # fmt: skip


def partial_data(partial: PartialDownload) -> dict[str, Any]:
    """A partial download, for ``--json``."""
    return {
        "repo": partial.repo, "path": str(partial.path), "size_bytes": partial.size_bytes,
        "last_modified": _time(partial.modified_at), "resumable": partial.ours,
    }  # fmt: skip


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
