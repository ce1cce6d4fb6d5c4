"""Decides what a pull will do before it does it: which file, from where, and whether the disk is large enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

from phicli.catalog.quants import PACKAGED_QUANT, PREFERRED_QUANTS
from phicli.catalog.types import GgufFile, GgufSource
from phicli.errors import AmbiguousModelError, DoesNotFitError, IntegrityError, NetworkError, NotFoundError
from phicli.hub.cache import InstalledFile, best_installed, cache_folder, installed_in, matching, the_one
from phicli.hub.download.adapters import adapter_in
from phicli.hub.download.choose import Look, choose
from phicli.hub.download.failures import TransientError, UnreachableError
from phicli.hub.download.looking import looking
from phicli.hub.download.remote import list_repo
from phicli.hub.download.request import PullRequest
from phicli.hub.layout import is_partial
from phicli.hub.offline import offline_error, without_network
from phicli.hub.store import blob_path, check_names, free_bytes, partial_path
from phicli.hub.types import Observer, RemoteFile, RemoteModel, RemoteRepo
from phicli.units import format_bytes


@dataclass(frozen=True, slots=True)
class PullPlan:
    """What will happen.

    Either ``present`` is a model on disk that is what was asked for, or ``model`` is to be downloaded from ``source``
    into the cache ``folder``. ``kept_bytes`` of it are on disk already; ``free_bytes`` is the space there.
    ``promised`` has what the catalog promises of the files, by name. With ``adapter`` it is an adapter (LoRA).
    """

    request: PullRequest
    folder: Path
    source: GgufSource | None = None
    present: InstalledFile | None = None
    model: RemoteModel | None = None
    promised: Mapping[str, GgufFile] | None = None
    kept_bytes: int = 0
    free_bytes: int = 0
    adapter: bool = False

    @property
    def missing_bytes(self) -> int:
        """What is still to be downloaded."""
        return self.model.size_bytes - self.kept_bytes if self.model else 0

    @property
    def architectures(self) -> frozenset[str]:
        """What the header of the file may say it is; empty when anything is welcome."""
        variant = self.request.variant
        named = self.source.architecture if self.source else None
        expected = named or (variant.architecture if variant else None)
        return frozenset({expected} if expected else ())


def prepare(request: PullRequest, observer: Observer) -> PullPlan:
    """What the request comes to; nothing is written.

    Raises:
        NotFoundError: no such repository, revision or quantization.
        AmbiguousModelError: several models of the repository are what was asked for.
        NetworkError: the hub cannot be asked, and the model is not on disk.
        IntegrityError: the hub has another file than the catalog promises.
        UsageError: several files have the quantization.
    """
    folder = cache_folder()
    present = present_file(request, folder)
    if present is not None:
        return PullPlan(request, folder, present=present)
    if request.offline:
        what = "--force downloads all files again" if request.force else f"{request.name} is not on this machine"
        raise offline_error(what)
    source, model, adapter = _find(request, observer)
    for file in model.files:
        check_names(folder, model.repo.repo, model.repo.commit, file)
    promised = {file.filename: file for file in source.files} if request.revision is None else {}
    model = replace(model, files=tuple(_with_hash(file, promised.get(file.name)) for file in model.files))
    _compare_with_catalogue(model, promised)
    kept = sum(_kept_bytes(folder, model, file, force=request.force) for file in model.files)
    return PullPlan(
        request, folder, source=source, model=model, promised=promised, kept_bytes=kept, free_bytes=free_bytes(folder),
        adapter=adapter,
    )  # fmt: skip


def check_disk(plan: PullPlan) -> None:
    """Return if what is missing has room.

    Raises:
        DoesNotFitError: the disk is too small; the message has the sums.
    """
    if plan.missing_bytes <= plan.free_bytes:
        return
    needs, has = format_bytes(plan.missing_bytes), format_bytes(plan.free_bytes)
    raise DoesNotFitError(
        f"{plan.request.name} needs {needs} on disk, and {plan.folder} has {has}",
        "free some space (phi cache list, phi cache prune), or set HF_HUB_CACHE to a folder on a larger disk",
        data={"needed_bytes": plan.missing_bytes, "free_bytes": plan.free_bytes, "folder": str(plan.folder)},
    )


def usual_quant(source: GgufSource) -> str:
    """What a source is asked for when nothing was said."""
    listed = {file.quant for file in source.files}
    return next((quant for quant in PREFERRED_QUANTS if quant in listed), PREFERRED_QUANTS[0])


def present_file(request: PullRequest, folder: Path) -> InstalledFile | None:
    """A model on disk that is what was asked for; another than the pinned one only where nothing else can be had.

    Raises:
        AmbiguousModelError: several models of a repository that the catalog does not know are.
    """
    if request.force or (request.revision and not request.offline):
        return None
    variant = request.variant
    if variant is not None and variant.packaged_file:
        path = Path(str(files("phicli").joinpath("data", variant.packaged_file)))
        return InstalledFile("phicli", path.name, PACKAGED_QUANT, path, "packaged", path.stat().st_size)
    others: tuple[InstalledFile, ...] = ()
    for source in request.sources:
        quant = request.quant or request.preferred_quant or usual_quant(source)
        here = installed_in(source, folder=folder, revision=request.revision)
        found = tuple(file for file in matching(quant, here) if request.offline or _is_the_one(file, source))
        if found:
            return found[0] if variant else the_one(source.repo, found if request.quant else here)
        others += here
    if not request.offline or request.quant:
        return None
    return best_installed(others) if variant else the_one(request.name, others)


def _is_the_one(file: InstalledFile, source: GgufSource) -> bool:
    """Whether a file is what ``source`` pins: by its revision, or by a content that has the expected name."""
    if source.revision in (None, file.revision):
        return True
    promised = next((known.sha256 for known in source.files if known.filename == file.filename), None)
    return promised is not None and file.path.resolve().name == promised


def _find(request: PullRequest, observer: Observer) -> tuple[GgufSource, RemoteModel, bool]:
    """The first source that has what was asked for, and whether that is an adapter; else what the first one said."""
    first: NotFoundError | None = None
    for source in request.sources:
        known = {file.filename: file.quant for file in source.files}
        revision = request.revision or source.revision
        observer.phase(f"listing the files of {source.repo}")
        try:
            repo = list_repo(source.repo, revision, token=request.token, on_wait=observer.notice)
            return source, *_chosen(request, repo, known, looking(cache_folder(), observer, request.token))
        except AmbiguousModelError:
            raise
        except NotFoundError as error:
            first = first or _with_way_out(error, request, source)
        except (UnreachableError, TransientError) as error:
            raise NetworkError(error.message, f"{error.hint}; {without_network()}") from error
    assert first is not None  # noqa: S101 - a request has sources
    raise first


def _chosen(
    request: PullRequest, repo: RemoteRepo, known: Mapping[str, str], look: Look
) -> tuple[RemoteModel, bool]:  # fmt: skip
    """The model of ``repo`` that was asked for, or its adapter; and whether it is an adapter."""
    try:
        return choose(repo, request.quant, known, preferred=request.preferred_quant, look=look), False
    except AmbiguousModelError:
        raise
    except NotFoundError:
        adapter = adapter_in(repo, request.quant, look)
        if adapter is None:
            raise
        if request.adapters:
            return adapter, True
        raise NotFoundError(
            f"{request.name} is an adapter (LoRA), not a model",
            f"download it: phi pull {request.name}; then use it with its model: phi chat MODEL --adapter NAME",
        ) from None


def _with_way_out(error: NotFoundError, request: PullRequest, source: GgufSource) -> NotFoundError:
    """The same error, with what helps where the revision was the catalog's choice."""
    if request.revision or not source.revision or source.revision not in error.message:
        return error
    return NotFoundError(error.message, f"use its newest files: phi pull {request.name} --revision main")


def _with_hash(file: RemoteFile, known: GgufFile | None) -> RemoteFile:
    """``file`` with the hash that the catalog knows, where the hub has told none."""
    if file.can_verify or known is None or known.sha256 is None:
        return file
    return replace(file, sha256=known.sha256, etag=known.sha256, can_verify=True)


def _compare_with_catalogue(model: RemoteModel, promised: Mapping[str, GgufFile]) -> None:
    """The hub must have the very file that the catalog knows.

    Raises:
        IntegrityError: it has another one under that name.
    """
    for file in model.files:
        known = promised.get(file.name)
        if known is None or (known.sha256 or file.sha256) == file.sha256:
            continue
        raise IntegrityError(
            f"{model.repo.repo} has a different {file.name} than the catalog: "
            f"sha256 {file.sha256}, expected {known.sha256}",
            f"if you trust it: phi pull {model.repo.repo}:{file.name} --revision {model.repo.revision}",
            data={"expected_sha256": known.sha256, "actual_sha256": file.sha256},
        )


def _kept_bytes(folder: Path, model: RemoteModel, file: RemoteFile, *, force: bool) -> int:
    """Bytes of ``file`` that need no download: the whole file, or what an earlier attempt left."""
    if force:
        return 0
    repo = model.repo.repo
    for path in (blob_path(folder, repo, file.etag), partial_path(folder, repo, file.etag)):
        try:
            size = path.stat().st_size
        except OSError:
            continue
        if size <= file.size_bytes and (size == file.size_bytes or is_partial(path)):
            return size
    return 0
