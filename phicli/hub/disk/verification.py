"""Hashes files again and compares them with the expected hashes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from phicli.errors import IntegrityError, PhiError
from phicli.gguf_file.names import parts_of
from phicli.hub import store, verified
from phicli.hub.disk.deletion import delete, plan_deletion
from phicli.hub.disk.inventory import CachedModel, inventory
from phicli.hub.disk.removal import entries_of_model
from phicli.hub.disk.selection import Picked, pick
from phicli.hub.hashing import sha256_of
from phicli.hub.in_place.registry import RegisteredModel
from phicli.hub.layout import content_of, repo_root, snapshot_folder
from phicli.hub.types import Progress
from phicli.network.offline import offline_variable

Status = Literal["ok", "bad", "missing", "unknown", "fixed"]
FetchAgain = Callable[[CachedModel], Callable[[], None]]
"""Asks the hub for a model and raises when it cannot have it; what it returns downloads it."""

_DAMAGED: Final = frozenset({"bad", "missing"})


@dataclass(frozen=True, slots=True)
class FileVerdict:
    """What became of one file.

    ``unknown``: nobody promised a hash; the one it has now was recorded, and the next time it is compared with. Hashes
    are 64 hexadecimal digits. ``reason`` says more about what is missing. ``fixable`` when it can be downloaded again,
    ``not_fixed`` why that failed.
    """

    name: str
    path: Path
    size_bytes: int
    status: Status
    expected_sha256: str | None = None
    actual_sha256: str | None = None
    reason: str | None = None
    fixable: bool = False
    not_fixed: str | None = None


def verify_cache(
    name: str | None, *, on_progress: Progress, fetch_again: FetchAgain | None = None
) -> tuple[FileVerdict, ...]:
    """:func:`verify` for what ``name`` means on this machine; everything without a name.

    Raises:
        NotFoundError: nothing here is called that.
        UsageError: the name is empty or means several files.
    """
    known = inventory()
    return verify(pick(known, name), known.folder, on_progress=on_progress, fetch_again=fetch_again)


def verify(
    picked: Picked, folder: Path, *, on_progress: Progress, fetch_again: FetchAgain | None = None
) -> tuple[FileVerdict, ...]:
    """One verdict per file, in the order of ``picked``.

    With ``fetch_again`` what is damaged in the cache ``folder`` is deleted, once the hub was asked, and downloaded
    again; then it is hashed again. Where that fails the verdict tells why: an ask that fails leaves the files as
    they were.
    """
    verdicts: list[FileVerdict] = []
    damaged: list[CachedModel] = []
    for model in picked.models:
        found = list(_of_cached(model, on_progress))
        damaged += [model] if _is_damaged(found) else []
        verdicts += found
    for registered in picked.registered:
        verdicts += _of_registered(registered, on_progress)
    if fetch_again is None:
        return tuple(verdicts)
    for model in damaged:
        verdicts = _repaired(verdicts, model, folder, on_progress, fetch_again)
    return tuple(verdicts)


def require_sound(verdicts: tuple[FileVerdict, ...], data: dict[str, object]) -> None:
    """Return if no file is damaged.

    Raises:
        IntegrityError: one is; ``data`` is what there is to show.
    """
    damaged = [one for one in verdicts if one.status in _DAMAGED]
    if not damaged:
        return
    first = damaged[0]
    what = first.reason or f"sha256 {first.actual_sha256}, expected {first.expected_sha256}"
    if first.not_fixed:
        what += f"; it could not be downloaded again: {first.not_fixed}"
    more = f"; {len(damaged) - 1} more" if len(damaged) > 1 else ""
    again = "fix that first, then download it again" if first.not_fixed else "download it again"
    hint = f"{again}: phi cache verify {first.name} --fix"
    if first.fixable and offline_variable() is not None:
        hint = (
            f"get it from another machine: phi cache export {first.name} FILE.tar there, phi cache import FILE.tar here"
        )
    if not first.fixable:
        hint = "it was not downloaded by phi: get the file again from its source, or unregister it: "
        hint += f"phi rm {first.name}"
    raise IntegrityError(f"{first.name} is damaged: {what}{more}", hint, data=data)


def _is_damaged(verdicts: list[FileVerdict]) -> bool:
    return any(one.status in _DAMAGED for one in verdicts)


def _of_cached(model: CachedModel, on_progress: Progress) -> Iterator[FileVerdict]:
    for part in model.parts:
        blank = FileVerdict(model.name, part.path, part.size_bytes, "missing", part.promised_sha256, fixable=True)
        if part.problem is not None:
            yield replace(blank, reason=part.problem)
        else:
            yield _hashed(blank, on_progress)


def _of_registered(model: RegisteredModel, on_progress: Progress) -> Iterator[FileVerdict]:
    for path in parts_of(model.path):
        promised = model.sha256 if path == model.path else None
        blank = FileVerdict(model.name, path, 0, "missing", promised)
        try:
            size_bytes = path.stat().st_size
        except OSError as error:
            yield replace(blank, reason=f"{path}: {error.strerror}")
            continue
        yield _hashed(replace(blank, size_bytes=size_bytes), on_progress)


def _hashed(blank: FileVerdict, on_progress: Progress) -> FileVerdict:
    """The verdict on a file that is there."""
    record = verified.recorded(blank.path)
    promised = blank.expected_sha256 or (record.sha256 if record else None)
    try:
        with _access_time_kept(blank.path) as before:
            actual = sha256_of(
                blank.path, on_bytes=lambda done, total: on_progress(f"hashing {blank.name}", done, total)
            )
    except OSError as error:
        return replace(blank, reason=f"{blank.path.name} cannot be read: {error.strerror}")
    if promised not in (None, actual):
        verified.forget(blank.path)
        return replace(blank, status="bad", expected_sha256=promised, actual_sha256=actual)
    verified.record(blank.path, actual, as_of=before)
    status: Status = "ok" if promised else "unknown"
    return replace(blank, status=status, expected_sha256=promised, actual_sha256=actual)


@contextlib.contextmanager
def _access_time_kept(path: Path) -> Iterator[os.stat_result]:
    """Checking a file is not using it. What it was like before is what the context gives."""
    before = path.stat()
    yield before
    with contextlib.suppress(OSError):
        if path.stat().st_mtime_ns == before.st_mtime_ns:  # setting it back would hide that it has changed
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _repaired(
    verdicts: list[FileVerdict], model: CachedModel, folder: Path, on_progress: Progress, fetch_again: FetchAgain
) -> list[FileVerdict]:
    """The verdicts after ``model`` was downloaded again, or why it was not."""
    paths = {part.path for part in model.parts}
    damaged = {one.path for one in verdicts if one.status in _DAMAGED} & paths
    try:
        _fix(model, folder, damaged, fetch_again)
    except PhiError as error:
        return [_not_fixed(one, error.message) if one.path in damaged else one for one in verdicts]
    again = {one.path: one for one in _of_cached(_seen_again(model), on_progress)}
    return [_after_fix(one, again.get(one.path)) for one in verdicts]


def _not_fixed(verdict: FileVerdict, why: str) -> FileVerdict:
    """The verdict on what could not be downloaded; it may be deleted by then."""
    if os.path.lexists(verdict.path) or verdict.status == "missing":
        return replace(verdict, not_fixed=why)
    return replace(verdict, status="missing", reason=f"{verdict.path.name} was removed", not_fixed=why)


def _fix(model: CachedModel, folder: Path, damaged: set[Path], fetch_again: FetchAgain) -> None:
    """Ask, delete what is damaged, download it, and let the other revisions find it as well."""
    download = fetch_again(model)
    root = repo_root(folder, model.repo)
    bad = {part.path.name for part in model.parts if part.path in damaged}
    entries = [entry for entry in entries_of_model(model, root) if entry.name in bad]
    delete(plan_deletion(folder, entries), keep_folders=True)
    download()
    for part in model.parts:
        if part.path in damaged and part.path.exists():
            _link_everywhere(part.path, model, folder)


def _link_everywhere(path: Path, model: CachedModel, folder: Path) -> None:
    """Let the other revisions of ``model`` have what is at ``path`` in the first one."""
    root = repo_root(folder, model.repo)
    blob = content_of(path, root)
    if blob is None or blob == path:
        return
    name = path.relative_to(snapshot_folder(root, model.revisions[0])).as_posix()
    for revision in model.revisions[1:]:
        store.link(folder, model.repo, revision, None, name, blob.name)


def _seen_again(model: CachedModel) -> CachedModel:
    """The model with the sizes and expected hashes of its files as they are now."""
    parts = []
    for part in model.parts:
        try:
            parts.append(replace(part, size_bytes=part.path.stat().st_size, problem=None))
        except OSError as error:
            parts.append(replace(part, size_bytes=0, problem=f"{part.path.name}: {error.strerror}"))
    return replace(model, parts=tuple(parts))


def _after_fix(before: FileVerdict, now: FileVerdict | None) -> FileVerdict:
    if now is None or before.status not in _DAMAGED:
        return before
    return replace(now, status="fixed") if now.status in ("ok", "unknown") else now
