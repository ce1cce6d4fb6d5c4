"""Asks the hub what a repository has, and where a file of it is."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

import phicli
from phicli.errors import NetworkError
from phicli.gguf_file.names import is_gguf_name
from phicli.hub.download.failures import TransientError, check_environment, endpoint, shown_endpoint, translated
from phicli.hub.types import RemoteFile, RemoteRepo

if TYPE_CHECKING:
    from huggingface_hub.file_download import HfFileMetadata

_ATTEMPTS: Final = 4
_ANSWER_S: Final = 15.0
_LARGEST_BYTES: Final = 1 << 50
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_ODD: Final = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST_ETAG: Final = 100
_HEAD_REFUSED: Final = frozenset({400, 403, 405, 406, 501})
_AT_A_TIME: Final = 8
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

    def ask() -> tuple[RemoteRepo, list[str]]:
        try:
            info = api.model_info(repo, revision=revision, files_metadata=True, timeout=_ANSWER_S)
            return _repo(repo, revision, info), _only_named(info)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            if isinstance(error, _library_errors()):
                raise
            raise _no_answer() from error

    listed, only_named = _patiently(ask, repo, revision, on_wait)
    if not only_named:
        return listed
    return replace(listed, files=(*listed.files, *_described(listed, only_named, token, on_wait)))


def locate_file(
    repo: RemoteRepo, name: str, *, token: str | None = None, on_wait: Callable[[str], None] | None = None
) -> Location:
    """Where the file ``name`` of ``repo`` is read, asked of the hub, which also says whether it may be.

    Raises:
        NotFoundError: the file is gone.
        NetworkError: the hub cannot be reached or refuses.
    """
    url, headers = _request_for(repo, name, token)
    facts = _patiently(lambda: file_facts(url, headers, token=token), repo.repo, repo.revision, on_wait)
    xet = facts.xet_file_data
    return Location(url, headers, xet.file_hash if xet else None, xet.refresh_route if xet else None)


def file_facts(url: str, headers: dict[str, str], *, token: str | None = None) -> HfFileMetadata:
    """Size and hash of the file at ``url``, asked with ``HEAD``; where that is refused, with one byte of it.

    To be called inside :func:`~phicli.hub.download.failures.translated`. Either may be None: mirrors leave them out.
    """
    import httpx2
    from huggingface_hub import get_hf_file_metadata
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return get_hf_file_metadata(url, token=token, headers=headers, endpoint=endpoint(), timeout=_ANSWER_S)
    except HfHubHTTPError as error:
        explained = "x-error-code" in error.response.headers
        if explained or error.response.status_code not in _HEAD_REFUSED:
            raise
    except httpx2.RemoteProtocolError:  # it hung up
        pass
    return _facts_of_a_byte(url, headers)


def _facts_of_a_byte(url: str, headers: dict[str, str]) -> HfFileMetadata:
    """Like :func:`file_facts`, of the answers to a request for the first byte, redirects included."""
    import httpx2
    from huggingface_hub import get_session, hf_raise_for_status
    from huggingface_hub.file_download import HfFileMetadata

    asked = headers | {"Range": "bytes=0-0", "Accept-Encoding": "identity"}
    with get_session().stream("GET", url, headers=asked, timeout=_ANSWER_S, follow_redirects=True) as response:
        hf_raise_for_status(response)
    told = httpx2.Headers([pair for answer in response.history for pair in answer.headers.multi_items()])
    of_all = "content-range" if response.status_code == 206 else "content-length"
    size = told.get("x-linked-size") or response.headers.get(of_all, "").rpartition("/")[2]
    etag = told.get("x-linked-etag") or response.headers.get("x-linked-etag") or response.headers.get("etag") or ""
    etag = etag.removeprefix("W/").strip('"')
    return HfFileMetadata(None, etag or None, url, int(size) if size.isdecimal() else None, None)


def _request_for(repo: RemoteRepo, name: str, token: str | None) -> tuple[str, dict[str, str]]:
    """The address of a file, and the headers to send there."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined] # it is exported lazily

    url = hf_hub_url(repo.repo, name, revision=repo.commit, endpoint=endpoint())
    return url, build_hf_headers(token=token, library_name="phi-local", library_version=phicli.__version__)


def _described(
    repo: RemoteRepo, names: Sequence[str], token: str | None, on_wait: Callable[[str], None] | None
) -> list[RemoteFile]:
    """The files called ``names``, each asked for by itself.

    Raises:
        NetworkError: nobody says how large any of them is, or a request failed.
    """

    def ask(name: str) -> RemoteFile | None:
        url, headers = _request_for(repo, name, token)
        facts = _patiently(lambda: file_facts(url, headers, token=token), repo.repo, repo.revision, on_wait)
        return _by_facts(name, facts.size, facts.etag)

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        described = [file for file in pool.map(ask, names) if file is not None]
    if not described:
        what = f"{shown_endpoint()} does not report how large the files of {repo.repo} are"
        raise NetworkError(what, "use another mirror: HF_ENDPOINT")
    return described


def _by_facts(name: str, size: int | None, etag: str | None) -> RemoteFile | None:
    """A file by what its own address says; None where that is not its size and a name of its content."""
    if size is None or not 0 <= size < _LARGEST_BYTES or not etag:
        return None
    if _SHA256.fullmatch(etag):
        return RemoteFile(name, size, etag, etag)
    return RemoteFile(name, size, _ODD.sub("_", etag)[:_LONGEST_ETAG], can_verify=False)


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


def _only_named(info: Any) -> list[str]:
    """Models of which the hub lists no more than the name, as some mirrors do."""
    siblings = [one for one in info.siblings if one.size is None or (one.lfs is None and not one.blob_id)]
    return [one.rfilename for one in siblings if is_gguf_name(one.rfilename)]


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
        f"{shown_endpoint()} answered with something other than a list of files, perhaps a login page",
        "check the network and HF_ENDPOINT",
    )
