"""Addresses of the hub as names of models: ``hf://owner/repo``, the web address of a repository or of a file in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from phicli.catalog.names import is_repo_name
from phicli.errors import UsageError

_HOSTS: Final = ("huggingface.co", "www.huggingface.co", "hf.co")
_BARE: Final = re.compile(r"(?:www\.)?(?:huggingface\.co|hf\.co)/", re.IGNORECASE)
_WEB: Final = re.compile(r"https?://", re.IGNORECASE)
_NOT_MODELS: Final = frozenset(
    {"datasets", "spaces", "docs", "collections", "papers", "blog", "buckets", "learn", "organizations", "settings"}
)
_SCHEME: Final = "hf://"
_HAS_REVISION: Final = ("blob", "resolve", "raw", "tree")
_EXAMPLE: Final = "the address of a repository is https://huggingface.co/OWNER/REPO"


@dataclass(frozen=True, slots=True)
class Address:
    """What an address of the hub leads to: a repository, and where it says so a quantization or a file, a revision."""

    repo: str
    detail: str | None = None
    revision: str | None = None

    @property
    def name(self) -> str:
        """The same as a name: ``owner/repo``, ``owner/repo:QUANT`` or ``owner/repo:FILE.gguf``."""
        return f"{self.repo}:{self.detail}" if self.detail else self.repo


def is_address(text: str, hub: str | None = None) -> bool:
    """Whether ``text`` is an address of the hub; ``hub`` is the address of the one that is used here."""
    return _split(text, hub) is not None


def read_address(text: str, hub: str | None = None) -> Address | None:
    """What an address of the hub leads to; None for text that is not an address of the hub.

    The branch ``main`` does not count as a revision: a name without one means it.

    Raises:
        UsageError: it leads to something else than a model.
    """
    found = _split(text, hub)
    if found is None:
        return None
    owner, repo, *rest = found.path if len(found.path) > 1 else (*found.path, "")
    repo, _, detail = repo.partition(":")
    repo, _, revision = repo.partition("@")
    if owner in _NOT_MODELS or not is_repo_name(f"{owner}/{repo}"):
        raise UsageError(f"the address {text!r} does not lead to a model", _EXAMPLE)
    page = rest[0] if found.is_web and rest else ""
    if found.is_web:
        revision, rest = (rest[1], rest[2:]) if page in _HAS_REVISION and len(rest) > 1 else ("", [])
    file = found.shown_file or "/".join(rest)
    if file and not file.lower().endswith(".gguf"):
        if page != "tree":
            raise UsageError(
                f"the address {text!r} leads to {file}, which is not a GGUF file",
                f"name the repository: {owner}/{repo}; or one of its GGUF files",
            )
        file = ""
    return Address(f"{owner}/{repo}", file or detail or None, None if revision in ("", "main") else revision)


@dataclass(frozen=True, slots=True)
class _Split:
    path: tuple[str, ...]
    is_web: bool = False
    shown_file: str = ""


def _split(text: str, hub: str | None) -> _Split | None:
    """An address of the hub in parts; None for other text."""
    text = text.strip()
    if text.lower().startswith(_SCHEME):
        return _Split(_path(text[len(_SCHEME) :].removeprefix("models/")))
    text = f"https://{text}" if _BARE.match(text) else text
    if not _WEB.match(text):
        return None
    address, own = _url(text), _url(hub or "")
    if address is None:
        return None
    host, path = _host(address), address.path
    if own is not None and host and host == _host(own) and f"{path}/".startswith(f"{own.path.rstrip('/')}/"):
        path = path[len(own.path.rstrip("/")) :]
        if len(_path(path)) < 2:  # such as /v1, the usual path of an endpoint
            return None
    elif host not in _HOSTS:
        return None
    shown = parse_qs(address.query).get("show_file_info", [""])[0]
    return _Split(_path(path), is_web=True, shown_file=shown)


def _url(text: str) -> SplitResult | None:
    try:
        return urlsplit(text)
    except ValueError:  # such as an IPv6 address without its bracket
        return None


def _host(address: SplitResult) -> str:
    return address.netloc.rpartition("@")[2].lower()


def _path(text: str) -> tuple[str, ...]:
    return tuple(unquote(part) for part in text.strip("/").split("/"))
