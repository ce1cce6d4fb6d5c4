"""What ``phi cache import``, ``scan`` and ``export`` show."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from phicli.hub.archive.exporting import Exported
from phicli.hub.archive.format import Manifest
from phicli.hub.archive.importing import Imported
from phicli.hub.in_place.registration import Registration
from phicli.hub.in_place.scan import Scan, Scanned
from phicli.hub.types import Progress
from phicli.plan.importing import NewModel
from phicli.ui.columns import aligned
from phicli.ui.confirm import confirm
from phicli.ui.envelope import print_result
from phicli.ui.status import StatusLine
from phicli.ui.terminal import Terminal
from phicli.ui.tidy_end import tidy_end
from phicli.units import format_bytes, how_far

_COLUMNS: Final = ("MODEL", "QUANT", "SIZE", "FROM", "KNOWN AS", "NAME", "PATH")


@contextlib.contextmanager
def progress(terminal: Terminal) -> Iterator[Progress]:
    """A line on standard error that says what is going on and, where bytes are counted, how far it is.

    Meanwhile SIGTERM ends the process as Ctrl-C does, so that nothing half written is left behind.
    """
    with tidy_end(), StatusLine(terminal) as line:
        yield lambda what, done_bytes, total_bytes: line.update(
            how_far(what, done_bytes, total_bytes) if total_bytes else what
        )


def print_imported(terminal: Terminal, new: NewModel, *, as_json: bool) -> None:
    """What came in, and how to use it."""
    done = new.done
    data = _registration_data(done) if isinstance(done, Registration) else _archive_data(done, new.model_id)
    data["command_name"] = new.command_name
    if as_json:
        print_result(terminal, "cache import", data)
        return
    _print_facts(terminal, data)
    note = done.identity.note if isinstance(done, Registration) else None
    if note:
        terminal.say(note)
    if isinstance(done, Registration) and new.model_id is None:
        terminal.say("the model is not in the catalog; phi uses the prompt format in its header")
    state = "was already registered" if done.already else "is ready"
    terminal.say(f"{new.command_name} {state}: phi chat {shlex.quote(new.command_name)}")


def print_exported(terminal: Terminal, done: Exported, *, as_json: bool) -> None:
    """What was written, and what to do with it on the other machine."""
    data = _manifest_data(done.manifest) | {"path": str(done.path), "archive_bytes": done.size_bytes}
    if as_json:
        print_result(terminal, "cache export", data)
        return
    _print_facts(terminal, data)
    terminal.say(f"on the other machine: phi cache import {shlex.quote(done.path.name)}")


def print_scan(terminal: Terminal, seen: Scan, *, as_json: bool) -> None:
    """A row for each file that can be used; what cannot be used goes to standard error with the reason."""
    if as_json:
        print_result(terminal, "cache scan", _scan_data(seen))
        return
    if seen.models:
        terminal.write("\n".join(aligned([_COLUMNS, *map(_row, seen.models)], right=(2,))) + "\n")
    for skipped in seen.findings.skipped:
        terminal.say(f"skipped: {skipped.label} ({skipped.origin}): {skipped.reason}")
    if not seen.findings.folders:
        terminal.say("no folder of Ollama or LM Studio was found (set OLLAMA_MODELS to the folder of Ollama's models)")
    elif not seen.models:
        terminal.say(f"no models in {', '.join(map(str, seen.findings.folders))}")
    strangers = [one for one in seen.models if one.identity.match is None and one.model is None]
    if strangers:
        example = f"phi cache import {shlex.quote(str(strangers[0].file.path))} --as NAME"
        terminal.say(f"{_count(len(strangers))} not in the catalog; to use one anyway: {example}")
    new = sum(one.is_new for one in seen.models)
    if new > len(seen.failed) and not terminal.can_ask:
        terminal.say(f"{_count(new - len(seen.failed))} not registered yet: phi cache scan --register")
    _say_failed(terminal, seen)


def agrees_to_register(terminal: Terminal, seen: Scan) -> bool:
    """Ask whether to register the new models; no without asking if there are none or no person can answer."""
    new = [one for one in seen.models if one.is_new]
    if not new or not terminal.can_ask:
        return False
    what = "the new model" if len(new) == 1 else f"the {len(new)} new models"
    return confirm(terminal, f"Register {what}, without copying anything?", default=True)


def print_registered(terminal: Terminal, seen: Scan) -> None:
    """The names under which models are registered now."""
    for one in seen.models:
        if one.model is not None:
            terminal.say(f"{one.model.name} is ready: phi chat {one.model.name}")
    _say_failed(terminal, seen)


def _say_failed(terminal: Terminal, seen: Scan) -> None:
    for failed in seen.failed:
        terminal.say(f"not registered: {failed.label} ({failed.origin}): {failed.reason}")


def _count(number: int) -> str:
    return "1 file is" if number == 1 else f"{number} files are"


def _row(one: Scanned) -> tuple[str, ...]:
    match, name = one.identity.match, one.model.name if one.model else ""
    quant = (match.quant if match else one.identity.header.quant) or ""
    size, known = format_bytes(one.file.size_bytes), match.variant.id if match else ""
    return (known, quant, size, one.file.origin, one.file.label, name, str(one.file.path))


def _scan_data(seen: Scan) -> dict[str, Any]:
    return {
        "folders": [str(folder) for folder in seen.findings.folders],
        "found": [_scanned_data(one) for one in seen.models],
        "skipped": [asdict(skipped) for skipped in seen.findings.skipped],
        "failed": [asdict(failed) for failed in seen.failed],
    }


def _scanned_data(one: Scanned) -> dict[str, Any]:
    match = one.identity.match
    return {
        "origin": one.file.origin,
        "label": one.file.label,
        "path": str(one.file.path),
        "size_bytes": one.file.size_bytes,
        "sha256": one.identity.sha256,
        "model": match.variant.id if match else None,
        "quant": match.quant if match else one.identity.header.quant,
        "matched_by": match.how if match else None,
        "note": one.identity.note,
        "name": one.model.name if one.model else None,
    }


def _registration_data(done: Registration) -> dict[str, Any]:
    model, match = done.model, done.identity.match
    return {
        "kind": "file",
        "name": model.name,
        "model": model.variant_id,
        "quant": model.quant,
        "path": str(model.path),
        "size_bytes": model.size_bytes,
        "sha256": model.sha256,
        "matched_by": match.how if match else None,
        "note": done.identity.note,
        "already": done.already,
    }


def _archive_data(done: Imported, model_id: str | None) -> dict[str, Any]:
    about = _manifest_data(done.manifest) | {"model": model_id}
    return {"kind": "archive", **about, "name": done.name, "path": str(done.path), "already": done.already}


def _manifest_data(manifest: Manifest) -> dict[str, Any]:
    return {
        "model": manifest.model,
        "quant": manifest.quant,
        "repo": manifest.repo,
        "revision": manifest.revision,
        "license": manifest.license,
        "size_bytes": manifest.size_bytes,
        "files": [asdict(file) for file in manifest.files],
    }


def _print_facts(terminal: Terminal, data: dict[str, Any]) -> None:
    shown = ("name", "model", "quant", "repo", "revision", "license", "path", "sha256")
    rows = [(key, str(data[key])) for key in shown if data.get(key) is not None]
    rows.append(("size", format_bytes(data["size_bytes"])))
    terminal.write("\n".join(aligned(rows)) + "\n")
