"""Downloads a model into the shared cache, and lets only the right file get its name."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from phicli.errors import IntegrityError, NotAModelError, NotAnAdapterError
from phicli.gguf_file.adapter import adapter_of
from phicli.gguf_file.header import read_any_header, require_model
from phicli.gguf_file.names import is_gguf_name, parts_of
from phicli.hub import store, verified
from phicli.hub.disk.deletion import delete, plan_deletion
from phicli.hub.download.planning import PullPlan, check_disk, prepare
from phicli.hub.download.remote import locate_file
from phicli.hub.download.transfer import Fetched, fetch
from phicli.hub.hashing import sha256_of
from phicli.hub.layout import sha256_in_name, snapshot_folder, snapshots_of
from phicli.hub.types import Observer, RemoteFile, RemoteModel
from phicli.hub.write_errors import writing

_ROUNDS: Final = 2
_BUSY_S: Final = 1.0
_GOES_ON: Final = "the download continues where it stopped"


@dataclass(frozen=True, slots=True)
class PullResult:
    """A model on disk.

    ``revision`` is a commit; ``path`` is the file to open, ``size_bytes`` all parts together, ``sha256`` that of the
    file at ``path``. ``downloaded_bytes`` came over the network now, ``resumed_from_bytes`` were there from earlier
    attempts. ``was_there`` when nothing had to be done.
    """

    name: str
    quant: str | None
    repo: str
    revision: str
    filename: str
    path: Path
    size_bytes: int
    sha256: str | None
    verified: bool
    downloaded_bytes: int
    resumed_from_bytes: int
    elapsed_s: float
    was_there: bool


def pull(plan: PullPlan, observer: Observer) -> PullResult:
    """Do what ``plan`` says.

    Raises:
        DoesNotFitError: the disk is too small.
        IntegrityError: twice not the promised file, or not a model of the promised kind; nothing of it is kept.
        NetworkError: the download failed again and again; what has arrived is kept for the next attempt.
        UsageError: the cache cannot be written.
    """
    began = time.monotonic()
    if plan.present is not None:
        result = _confirm(plan, observer, began)
        if result is not None:
            return result
        return pull(_again(plan, observer), observer)
    assert plan.model is not None  # noqa: S101 - a plan has one or the other
    check_disk(plan)
    with writing("the cache", plan.folder, "set HF_HUB_CACHE to a folder that you can write to", again=_GOES_ON):
        return _Pull(plan, plan.model, observer).run(began)


def _confirm(plan: PullPlan, observer: Observer, began: float) -> PullResult | None:
    """The result for a model that is there already, None when it is damaged."""
    present = plan.present
    assert present is not None  # noqa: S101 - as called
    hashes = []
    for path in parts_of(present.path):
        known = verified.recorded(path)
        promised = _promised(plan, path)
        if known is None:
            observer.phase("verifying existing files")
            actual = sha256_of(path, on_bytes=lambda done, total: observer.progress(done, total, done))
        else:
            actual = known.sha256
        if promised is not None and actual != promised:
            observer.notice(f"{path.name} is damaged (sha256 {actual}, expected {promised}); downloading it again")
            verified.forget(path)
            return None
        if known is None:
            verified.record(path, actual)
        hashes.append((actual, promised is not None))
    return PullResult(
        name=plan.request.name, quant=present.quant, repo=present.repo, revision=present.revision,
        filename=present.filename, path=present.path, size_bytes=present.size_bytes, sha256=hashes[0][0],
        verified=all(sure for _, sure in hashes) or present.repo == "phicli", downloaded_bytes=0,
        resumed_from_bytes=0, elapsed_s=time.monotonic() - began, was_there=True,
    )  # fmt: skip


def _promised(plan: PullPlan, path: Path) -> str | None:
    """The hash that a file in the cache must have: its blob's name, or the catalog's word."""
    named = sha256_in_name(path.resolve())
    if named is not None:
        return named
    for source in plan.request.sources:
        for file in source.files:
            if file.filename == path.name and plan.present and source.repo == plan.present.repo:
                return file.sha256
    return None


def _again(plan: PullPlan, observer: Observer) -> PullPlan:
    """The plan to download what turned out to be damaged, which is deleted once the hub has said that it has it."""
    assert plan.present is not None  # noqa: S101 - as called
    fresh = prepare(replace(plan.request, force=True), observer)
    damaged = [path for path in parts_of(plan.present.path) if path.exists()]
    delete(plan_deletion(plan.folder, damaged), keep_folders=True)
    return replace(fresh, free_bytes=store.free_bytes(plan.folder))


@dataclass(slots=True)
class _Pull:
    """One download under way: all parts of one model."""

    plan: PullPlan
    model: RemoteModel
    observer: Observer
    downloaded_bytes: int = 0
    resumed_bytes: int = 0
    finished_bytes: int = 0
    hashes: list[str] = field(default_factory=list)

    def run(self, began: float) -> PullResult:
        """Get all parts."""
        paths = [self._part(file) for file in self.model.files]
        repo = self.model.repo
        return PullResult(
            name=self.plan.request.name, quant=self.model.quant, repo=repo.repo, revision=repo.commit,
            filename=self.model.name, path=paths[0], size_bytes=self.model.size_bytes, sha256=self.hashes[0],
            verified=all(file.can_verify for file in self.model.files),
            downloaded_bytes=self.downloaded_bytes, resumed_from_bytes=self.resumed_bytes,
            elapsed_s=time.monotonic() - began, was_there=self.resumed_bytes == 0 == self.downloaded_bytes,
        )  # fmt: skip

    def _part(self, file: RemoteFile) -> Path:
        try:
            path, digest = self._in_cache(file)
        except OSError:
            there = self._readable(file)
            if there is None:
                raise
            path, digest = there
        self.finished_bytes += file.size_bytes
        self.hashes.append(digest)
        return path

    def _in_cache(self, file: RemoteFile) -> tuple[Path, str]:
        """The path of ``file`` in its snapshot, and its hash; what is missing is downloaded.

        Raises:
            OSError: the cache cannot be written.
        """
        repo, folder = self.model.repo, self.plan.folder
        blob = store.blob_path(folder, repo.repo, file.etag)
        with self._alone(file):
            good = None if self.plan.request.force else self._good(blob, file)
            if good is None:
                return self._download(file)
            return store.link(folder, repo.repo, repo.commit, self._ref, file.name, file.etag), good

    def _readable(self, file: RemoteFile) -> tuple[Path, str] | None:
        """The path and the hash of ``file`` in a cache that cannot be written; None where it is not there."""
        root = store.repo_folder(self.plan.folder, self.model.repo.repo)
        paths = [] if self.plan.request.force else [snapshot / file.name for snapshot in snapshots_of(root)]
        for path in paths:
            if (file.sha256 or path.is_relative_to(snapshot_folder(root, self.model.repo.commit))) and (
                digest := self._good(path, file)
            ):
                self.observer.notice(f"the cache {self.plan.folder} is read-only, but nothing in it needs to change")
                return path, digest
        return None

    @property
    def _ref(self) -> str | None:
        """The branch or tag that was asked for; a pinned commit is not one."""
        repo = self.model.repo
        return None if repo.revision == repo.commit else repo.revision

    def _good(self, blob: Path, file: RemoteFile) -> str | None:
        """The hash of the file if it is in the cache already, complete and right; a damaged one is replaced later."""
        if not blob.is_file() or blob.stat().st_size != file.size_bytes:
            return None
        known = verified.recorded(blob)
        if known is None:
            self.observer.phase("verifying existing files")
        actual = sha256_of(blob) if known is None else known.sha256
        if file.sha256 not in (None, actual):
            self.observer.notice(f"{file.name} in the cache is damaged; downloading it again")
            return None
        if known is None:
            verified.record(blob, actual)
        return actual

    def _download(self, file: RemoteFile) -> tuple[Path, str]:
        repo, folder = self.model.repo, self.plan.folder
        partial = store.partial_path(folder, repo.repo, file.etag)
        if self.plan.request.force:
            partial.unlink(missing_ok=True)
        # Not being able to make its folder shows before the download, not behind it.
        store.snapshot_path(folder, repo.repo, repo.commit, file.name).parent.mkdir(parents=True, exist_ok=True)
        fetched = self._fetch_right(file, partial)
        if file is self.model.files[0]:
            self._check_kind(partial, file)
        path = store.place(folder, repo.repo, repo.commit, self._ref, file.name, file.etag, partial)
        verified.record(path, fetched.sha256)
        return path, fetched.sha256

    def _fetch_right(self, file: RemoteFile, partial: Path) -> Fetched:
        """Fetch until the hash is right, at most twice."""
        for rounds in range(1, _ROUNDS + 1):
            location = locate_file(
                self.model.repo, file.name, token=self.plan.request.token, on_wait=self.observer.notice
            )
            fetched = fetch(self.model.repo, file, location, partial, self.observer, self._report)
            self.downloaded_bytes += fetched.downloaded_bytes
            if not file.can_verify:
                self.observer.notice(
                    f"the mirror does not report a hash of {file.name}: only the size and the header are checked"
                )
            if fetched.digest == file.etag or not file.can_verify:
                self.resumed_bytes += fetched.resumed_from_bytes
                return fetched
            partial.unlink(missing_ok=True)
            if rounds < _ROUNDS:
                self.observer.notice(f"{file.name} arrived damaged; downloading it again")
        raise IntegrityError(
            f"{file.name} arrived damaged twice: its hash is {fetched.digest}, expected {file.etag}",
            "it was deleted; try another network or mirror (HF_ENDPOINT)",
            data={"expected": file.etag, "actual": fetched.digest},
        )

    def _report(self, done: int, resumed: int) -> None:
        before = self.finished_bytes
        self.observer.progress(before + done, self.model.size_bytes, before + resumed)

    def _check_kind(self, partial: Path, file: RemoteFile) -> None:
        """Refuse what is not a GGUF file, or a model of another architecture; or what is not an adapter."""
        if self.plan.adapter and not is_gguf_name(file.name):
            return  # the conversion reads all of it
        try:
            header = read_any_header(partial)
            if self.plan.adapter:
                adapter_of(header)
                return
            require_model(header, partial)
        except (NotAModelError, NotAnAdapterError) as error:
            partial.unlink(missing_ok=True)
            message, hint = error.message.replace(str(partial), file.name), f"it was deleted; {error.hint}"
            raise type(error)(message, hint, data=error.data) from error
        except IntegrityError as error:
            partial.unlink(missing_ok=True)
            hint = "it was deleted; choose another file, as the one in the repository is itself damaged"
            reason = error.message.replace(str(partial), file.name)
            raise IntegrityError(f"{file.name} is not a usable GGUF file: {reason}", hint) from error
        expected = self.plan.architectures
        if expected and header.architecture not in expected:
            partial.unlink(missing_ok=True)
            raise IntegrityError(
                f"{file.name} is a model of architecture {header.architecture!r}, not {' or '.join(expected)}",
                "it was deleted; choose another file, as its name does not match its contents",
            )

    @contextlib.contextmanager
    def _alone(self, file: RemoteFile) -> Iterator[None]:
        """Hold the lock that huggingface_hub holds for the same file, so that one downloads and the others wait."""
        from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

        path = store.lock_path(self.plan.folder, self.model.repo.repo, file.etag)
        path.parent.mkdir(parents=True, exist_ok=True)
        lock: BaseFileLock = FileLock(path, mode=0o664)
        while not lock.is_locked:
            try:
                lock.acquire(timeout=_BUSY_S)
            except Timeout:
                self.observer.phase(f"waiting for another download of {file.name} (lock: {path})")
            except NotImplementedError:  # a file system without locks
                lock = SoftFileLock(path)
        try:
            yield
        finally:
            lock.release()
