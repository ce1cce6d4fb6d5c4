"""From what a person types to what is asked of the hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from phicli.catalog.names import is_repo_name
from phicli.catalog.resolve import is_repository, resolve, sources_of
from phicli.catalog.types import GgufSource, Variant
from phicli.errors import UsageError
from phicli.hub.typed_name import typed_address, typed_name
from phicli.network.offline import offline_variable
from phicli.paths import is_there

_REVISION: Final = re.compile(r"\w[\w./+-]{0,199}")


@dataclass(frozen=True, slots=True)
class PullRequest:
    """What to download.

    ``name`` is for people. ``sources`` are tried in order. ``quant`` is a quantization, the name of a file
    (``….gguf``), or None for the usual one; then ``preferred_quant`` is taken before the usual one. ``variant`` is None
    for a repository that the catalog does not know. ``revision`` (a branch, tag or commit) overrides the pinned one.
    ``token`` None takes the stored one. With ``adapters`` a repository without the model may have an adapter instead.
    """

    name: str
    sources: tuple[GgufSource, ...]
    quant: str | None
    variant: Variant | None
    revision: str | None = None
    token: str | None = None
    force: bool = False
    offline: bool = False
    preferred_quant: str | None = None
    adapters: bool = False

    @property
    def command(self) -> str:
        """What to type for the same again."""
        return f"phi pull {self.name}" + (f" --revision {self.revision}" if self.revision else "")


def pull_request(
    name: str, *, revision: str | None = None, token: str | None = None, force: bool = False, offline: bool = False
) -> PullRequest:
    """The request for ``phi-4-mini``, ``phi-4-mini:q4_k_m``, ``owner/repo``, ``owner/repo:QUANT`` or ``:FILE.gguf``.

    An address of the hub and a name of Ollama's library mean the same; the revision of an address counts where
    ``revision`` is None.

    Raises:
        NotFoundError: the catalog has no such model or quantization, or knows no repository with files of it.
        UnsupportedModelError: no engine here can run it.
        UsageError: it is the path of a file, or an address that does not lead to a model.
    """
    address = typed_address(name)
    if address is not None:
        name, revision = address.name, address.revision if revision is None else revision
    elif not is_there(name):
        name = typed_name(name)
    model, colon, quant = name.strip().partition(":")
    if colon and not quant:
        raise UsageError(f"{name!r} has no quantization after the colon", f"leave out the colon: phi pull {model}")
    if not model or (not is_repo_name(model) and is_there(name)) or model.lower().endswith(".gguf"):
        raise UsageError(
            f"{name!r} is not the name of a model to download", "use a local file directly: phi chat FILE.gguf"
        )
    variant, sources = sources_of(model)
    if variant is not None and quant and not quant.lower().endswith(".gguf") and not is_repository(model):
        resolve(name.strip())
    if revision is not None and (not _REVISION.fullmatch(revision) or ".." in revision):
        raise UsageError(f"{revision!r} is not a valid revision", "use a branch, a tag or a commit")
    return PullRequest(
        name=f"{variant.id if variant else model}{colon}{quant}",
        sources=sources,
        quant=quant or None,
        variant=variant,
        revision=revision,
        token=token,
        force=force,
        offline=offline or offline_variable() is not None,
    )
