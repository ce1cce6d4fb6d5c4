"""Asks the hub what a repository has, and where a file of it is."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import phicli
from phicli.errors import NetworkError
from phicli.hub.download.failures import TransientError, check_environment, endpoint, translated
from phicli.hub.types import RemoteFile, RemoteRepo

_ATTEMPTS: Final = 4
_ANSWER_S: Final = 15.0
_LARGEST_BYTES: Final = 1 << 50
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Location:
    """Where one file is read: ``url`` with ``headers``; ``xet_hash`` and ``xet_refresh_url`` where Xet has it too."""

    url: str
    headers: dict[str, str]
    xet_hash: str | None = None
    xet_refresh_url: str | None = None


def list_repo(
    repo: str, revision: str | None = None, *, token: str | None = None, on_wait: Callable[[str], None] | None = None
) -> RemoteRepo:
    """What ``repo`` has at ``revision`` (None: its main branch), sizes and hashes included.

    Args:
        repo: ``owner/name``.
        revision: a branch, tag or commit.
        token: an access token; None takes that of ``HF_TOKEN`` or of ``hf auth login``.
        on_wait: told why when the hub has to be asked again.

    Raises:
        NotFoundError: no such repository or revision.
        NetworkError: the hub cannot be reached, refuses, or answers with something else than a repository.
    """
    check_environment(token)
    from huggingface_hub import HfApi

    api = HfApi(endpoint=endpoint(), token=token, library_name="phi-local", library_version=phicli.__version__)

    def ask() -> RemoteRepo:
        try:
            info = api.model_info(repo, revision=revision, files_metadata=True, timeout=_ANSWER_S)
            return _repo(repo, revision, info)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            if isinstance(error, _library_errors()):
                raise
            raise _no_answer() from error

    return _patiently(ask, repo, revision, on_wait)


def locate_file(
    repo: RemoteRepo, name: str, *, token: str | None = None, on_wait: Callable[[str], None] | None = None
) -> Location:
    """Where the file ``name`` of ``repo`` is read, asked of the hub, which also says whether it may be.

    Raises:
        NotFoundError: the file is gone.
        NetworkError: the hub cannot be reached or refuses.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined] # it is exported lazily

    url = hf_hub_url(repo.repo, name, revision=repo.commit, endpoint=endpoint())
    headers = build_hf_headers(token=token, library_name="phi-local", library_version=phicli.__version__)

    def ask() -> Any:
        return get_hf_file_metadata(url, token=token, headers=headers, endpoint=endpoint(), timeout=_ANSWER_S)

    metadata = _patiently(ask, repo.repo, repo.revision, on_wait)
    xet = metadata.xet_file_data
    return Location(url, headers, xet.file_hash if xet else None, xet.refresh_route if xet else None)


def _patiently(ask: Callable[[], _T], repo: str, revision: str | None, on_wait: Callable[[str], None] | None) -> _T:
    """The answer, asked for again where the hub fails."""
    for attempt in range(1, _ATTEMPTS):
        try:
            with translated(repo, revision):
                return ask()
        except TransientError as error:
            wait_s = 2.0 ** (attempt - 1) if error.wait_s is None else error.wait_s
            if on_wait is not None:
                on_wait(f"{error.message}; trying again in {wait_s:.0f} s")
            time.sleep(wait_s)
    with translated(repo, revision):
        return ask()


def _repo(repo: str, revision: str | None, info: Any) -> RemoteRepo:
    """What the library read, as our own type.

    Raises:
        ValueError: it is not a listing.
    """
    if not isinstance(info.sha, str) or not info.siblings:
        raise ValueError
    return RemoteRepo(
        repo=repo,
        revision=revision or "main",
        commit=info.sha,
        license=_license(getattr(info, "card_data", None), info.tags or []),
        gated=bool(info.gated),
        files=tuple(file for sibling in info.siblings if (file := _file(sibling)) is not None),
    )


def _file(sibling: Any) -> RemoteFile | None:
    """One file; None for one without a size or a name for its content."""
    if not isinstance(sibling.size, int) or not 0 <= sibling.size < _LARGEST_BYTES:
        return None
    if sibling.lfs is None:
        return RemoteFile(sibling.rfilename, sibling.size, sibling.blob_id) if sibling.blob_id else None
    sha256 = sibling.lfs["sha256"] if isinstance(sibling.lfs, dict) else sibling.lfs.sha256
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise ValueError
    return RemoteFile(sibling.rfilename, sibling.size, sha256, sha256)


def _license(card: Any, tags: list[str]) -> str | None:
    named = card.get("license") if card is not None else None
    if not isinstance(named, str) or not named:
        named = next((tag.removeprefix("license:") for tag in tags if tag.startswith("license:")), None)
    return "".join(c for c in " ".join(named.split()) if c.isprintable())[:80] if named else None


def _library_errors() -> tuple[type[Exception], ...]:
    """Errors that are ``ValueError`` by their type and yet say something about the request, not about the answer."""
    import httpx2
    from huggingface_hub.errors import HFValidationError, OfflineModeIsEnabled

    return HFValidationError, OfflineModeIsEnabled, httpx2.HTTPError, httpx2.InvalidURL


def _no_answer() -> NetworkError:
    return NetworkError(
        f"{endpoint()} answered with something other than a list of files, perhaps a login page",
        "check the network and HF_ENDPOINT",
    )
