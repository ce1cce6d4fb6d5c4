"""From what a person types to what is asked of the hub."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Final

from phicli.catalog.load import catalog
from phicli.catalog.resolve import require_runnable, resolve
from phicli.catalog.types import GgufSource, Variant
from phicli.errors import NotFoundError, UsageError
from phicli.paths import expand

_REPO: Final = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_OFF: Final = frozenset({"", "0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class PullRequest:
    """What to download.

    ``name`` is for people. ``sources`` are tried in order. ``quant`` is a quantisation, the name of a file
    (``….gguf``), or None for the usual one. ``variant`` is None for a repository that the catalogue does not know.
    ``revision`` (a branch, tag or commit) overrides the pinned one. ``token`` None takes the stored one.
    """

    name: str
    sources: tuple[GgufSource, ...]
    quant: str | None
    variant: Variant | None
    revision: str | None = None
    token: str | None = None
    force: bool = False
    offline: bool = False

    @property
    def command(self) -> str:
        """What to type for the same again."""
        return f"phi pull {self.name}" + (f" --revision {self.revision}" if self.revision else "")


def pull_request(
    name: str, *, revision: str | None = None, token: str | None = None, force: bool = False, offline: bool = False
) -> PullRequest:
    """The request for ``phi-4-mini``, ``phi-4-mini:q4_k_m``, ``owner/repo``, ``owner/repo:QUANT`` or ``:FILE.gguf``.

    Raises:
        NotFoundError: the catalogue has no such model, or knows no repository with files of it.
        UnsupportedModelError: no engine here can run it.
        UsageError: it is the path of a file.
    """
    model, colon, quant = name.strip().partition(":")
    if colon and not quant:
        raise UsageError(f"{name!r} has no quantisation behind the colon", f"leave it out: phi pull {model}")
    if not model or (expand(name).exists() and not _REPO.fullmatch(model)) or model.lower().endswith(".gguf"):
        raise UsageError(
            f"{name!r} is not the name of a model to download", "a file is used as it is: phi chat FILE.gguf"
        )
    variant, sources = sources_of(model)
    if revision is not None and (not revision.strip() or ".." in revision or revision.startswith(("-", "/"))):
        raise UsageError(f"{revision!r} is no revision", "give a branch, a tag or a commit")
    return PullRequest(
        name=f"{variant.id if variant else model}{colon}{quant}",
        sources=sources,
        quant=quant or None,
        variant=variant,
        revision=revision,
        token=token,
        force=force,
        offline=offline or os.environ.get("HF_HUB_OFFLINE", "").lower() not in _OFF,
    )


def is_repository(name: str) -> bool:
    """Whether ``name`` is written like a repository of the hub that is not a variant's own: ``owner/repo[:…]``."""
    model = name.partition(":")[0]
    if not _REPO.fullmatch(model):
        return False
    try:
        resolve(model)
    except NotFoundError:
        return True
    return False


def sources_of(model: str) -> tuple[Variant | None, tuple[GgufSource, ...]]:
    """The variant that ``model`` means, None for a repository that the catalogue does not know, and its sources.

    Raises:
        NotFoundError: there is no such model, or no repository with files of it is known.
        UnsupportedModelError: no engine here can run it.
    """
    if is_repository(model):
        known = ((variant, source) for variant in catalog().variants for source in variant.sources)
        for variant, source in known:
            if source.repo.lower() == model.lower():
                return variant, (source,)
        return None, (GgufSource(model),)
    variant = resolve(model).variant
    require_runnable(variant)
    if not variant.sources and not variant.packaged_file:
        raise NotFoundError(
            f"no repository with GGUF files of {variant.id} is known", "name one of the hub: phi pull OWNER/REPO:QUANT"
        )
    return variant, variant.sources
