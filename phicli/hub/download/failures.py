"""Errors of huggingface_hub and of its HTTP library become ``phi``'s own here.

A transfer that goes on failing gets the hint of ``transfer.py`` in place of the one made here, and without a network
``planning.py`` says what is on this machine. What a failed connection means is the same for every server
(:mod:`phicli.network.trouble`).
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from phicli.errors import NetworkError, NotFoundError, PhiError, UsageError
from phicli.hub.offline import offline_error
from phicli.network.certificates import use_certificates
from phicli.network.proxies import proxy_for, use_proxies
from phicli.network.trouble import Trouble, proxy_refuses, reason, trouble_of

LOGIN: Final = "hf auth login"
_TRANSIENT: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
_LONGEST_WAIT_S: Final = 60.0


class TransientError(NetworkError):
    """A failure that another attempt may cure. ``wait_s`` is what the server asked for, None when it did not.

    ``stalled`` when nothing arrived for too long.
    """

    def __init__(self, message: str, hint: str = "", *, wait_s: float | None = None, stalled: bool = False) -> None:
        super().__init__(message, hint)
        self.wait_s = wait_s
        self.stalled = stalled


class UnreachableError(NetworkError):
    """There is no way to the hub at all."""


def endpoint() -> str:
    """The hub that is talked to: ``HF_ENDPOINT``, else the public one."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def shown_endpoint() -> str:
    """The hub's address as it may be printed: without user and password."""
    return re.sub(r"://[^/]*@", "://", endpoint())


def check_environment(token: str | None = None) -> None:
    """Return if what the hub's library takes from the environment, and an access token, are written as it expects.

    Raises:
        UsageError: one is not, or a proxy cannot be used.
        NetworkError: a variable names certificates that cannot be used.
    """
    _check_endpoint()
    given = (os.environ.get("HF_TOKEN") or "").strip() or None if token is None else token
    if given is not None and not re.fullmatch(r"[!-~]+", given):
        raise UsageError(
            "the access token is empty or contains characters that are not allowed",
            f"leave out --token, or log in: {LOGIN}",
        )
    for name in ("HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_ETAG_TIMEOUT"):
        value = os.environ.get(name)
        if value is not None and not value.strip().isdecimal():
            hint = f"set it to a whole number, or unset it: unset {name}"
            raise UsageError(f"{name}={value!r} is not a number of seconds", hint)
    use_certificates()
    use_proxies()


def _check_endpoint() -> None:
    try:
        parts = urlsplit(endpoint())
        sound = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
    if not sound:
        raise UsageError(
            f"{shown_endpoint()} is not a valid address of a hub",
            "set HF_ENDPOINT to an address like https://huggingface.co",
        )


@contextlib.contextmanager
def translated(repo: str, revision: str | None) -> Iterator[None]:
    """Raise what goes wrong inside as a :class:`PhiError` that speaks of ``repo`` at ``revision``.

    Raises:
        NotFoundError: no such repository, revision or file.
        TransientError: another attempt may help.
        UnreachableError: nobody answers.
        NetworkError: the hub refuses, or sends an invalid answer.
    """
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    try:
        yield
    except PhiError:
        raise
    except OfflineModeIsEnabled:
        raise offline_error("") from None
    except HFValidationError as error:
        raise UsageError(f"{repo!r} is not the name of a repository", "the format is owner/name") from error
    except (HfHubHTTPError, httpx2.HTTPStatusError) as error:
        raise _of_status(error, repo, revision) from error
    except httpx2.LocalProtocolError:  # its text has the token in it
        hint = f"check HF_TOKEN, or log in: {LOGIN}"
        raise UsageError("the access token has characters that cannot be sent", hint) from None
    except (httpx2.RequestError, httpx2.InvalidURL) as error:
        raise _of_connection(error) from error


def _of_connection(error: Exception) -> PhiError:
    import httpx2

    hub = shown_endpoint()
    if isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError)):
        return _of_trouble(trouble_of(error, _url_of(error)))
    if isinstance(error, httpx2.TimeoutException):
        return TransientError(f"{hub} does not answer in time", _ONLINE, stalled=True)
    if isinstance(error, (httpx2.UnsupportedProtocol, httpx2.InvalidURL)):
        return UsageError(f"{hub} is not a valid address of a hub: {reason(error, hub)}", "check HF_ENDPOINT")
    if isinstance(error, httpx2.TooManyRedirects):
        return NetworkError(f"{hub} redirects endlessly", _ONLINE)
    return TransientError(f"the connection failed: {reason(error, hub)}", _ONLINE)


def _of_trouble(trouble: Trouble) -> NetworkError:
    """No certificate that counts is the same at the next attempt; everything else may pass."""
    if trouble.kind == "tls":
        return NetworkError(trouble.message, trouble.hint)
    error = TransientError if trouble.is_slow else UnreachableError
    return error(trouble.message, trouble.hint or _ONLINE)


def _url_of(error: Exception) -> str:
    """Where the connection was to lead: not always the hub, which may redirect."""
    import httpx2

    try:
        return str(error.request.url) if isinstance(error, httpx2.RequestError) else endpoint()
    except RuntimeError:  # the library never saw a request
        return endpoint()


_ONLINE: Final = "check the network and HF_ENDPOINT"
_FILTERED: Final = "a proxy or a filter of this network may block it; check HF_ENDPOINT"


def of_answer(status: int, retry_after: str | None) -> TransientError | None:
    """The error for an HTTP status that another attempt may cure, None for the others."""
    if status not in _TRANSIENT:
        return None
    words = "is limiting requests" if status == 429 else "has a problem"
    return TransientError(f"the hub {words} (status {status})", "try again later", wait_s=_seconds(retry_after))


def _of_status(error: Exception, repo: str, revision: str | None) -> PhiError:
    response = getattr(error, "response", None)
    status: int = getattr(response, "status_code", 0)
    again = of_answer(status, getattr(response, "headers", {}).get("retry-after"))
    if again is not None:
        return again
    refused = _of_kind(error, repo, revision)
    if refused is not None:
        return refused
    proxy = proxy_for(endpoint())
    if status == 407 and proxy is not None:
        return _of_trouble(proxy_refuses("407 Proxy Authentication Required", proxy))
    if "text/html" in getattr(response, "headers", {}).get("content-type", ""):
        return NetworkError(f"{shown_endpoint()} answered with a web page (status {status})", _FILTERED)
    if status in (401, 403):
        return NetworkError(
            f"{shown_endpoint()} refuses access to {repo} (status {status})", f"log in: {LOGIN}, or --token"
        )
    return NetworkError(f"{shown_endpoint()} answered with status {status}", _ONLINE)


def _of_kind(error: Exception, repo: str, revision: str | None) -> PhiError | None:
    """The error for what the hub says is not there or not allowed."""
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    at = f" at {revision}" if revision else ""
    if isinstance(error, GatedRepoError):
        terms = f"open {shown_endpoint()}/{repo}, agree to its terms, then: {LOGIN}"
        return NetworkError(f"{repo} is gated: its owner requires you to agree to terms first", terms)
    if isinstance(error, RepositoryNotFoundError):
        private = f"check the name; if the repository is private: {LOGIN}, or --token"
        return NotFoundError(f"repository {repo} not found on {shown_endpoint()} (or it is private)", private)
    if isinstance(error, RevisionNotFoundError):
        return NotFoundError(f"{repo} has no revision {revision!r}", "leave out --revision to use the default one")
    if isinstance(error, EntryNotFoundError):
        return NotFoundError(f"{repo}{at} no longer has that file", "see its files: phi pull --dry-run")
    return None


def _seconds(retry_after: str | None) -> float | None:
    try:
        return max(0.0, min(_LONGEST_WAIT_S, float(retry_after or "")))  # of "nan" the longest
    except ValueError:
        return None
