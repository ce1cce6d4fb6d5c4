"""The name of a model as people type it: an address of the hub or a tag of Ollama's library is a name, too."""

from __future__ import annotations

import os

from phicli.catalog.addresses import Address, is_address, read_address
from phicli.catalog.ollama_tags import from_ollama
from phicli.errors import UsageError


def typed_name(text: str) -> str:
    """The name that ``text`` means: ``owner/repo``, ``owner/repo:FILE.gguf``, a name of the catalog, else ``text``.

    Raises:
        UsageError: it is an address that does not lead to a model, or to a revision of one.
    """
    address = typed_address(text)
    if address is None:
        return from_ollama(text.strip())
    if address.revision is not None:
        raise UsageError(
            f"the address {text!r} has the revision {address.revision}, but a model is used by its name",
            f"download that revision: phi pull {address.name} --revision {address.revision}; "
            f"then use the name {address.name}",
        )
    return address.name


def typed_address(text: str) -> Address | None:
    """What ``text`` leads to, if it is an address of the hub that is used here or of the public one.

    Raises:
        UsageError: it does not lead to a model.
    """
    return read_address(text, os.environ.get("HF_ENDPOINT"))


def is_typed_address(text: str) -> bool:
    """Whether ``text`` is an address of the hub, wherever it leads."""
    return is_address(text, os.environ.get("HF_ENDPOINT"))
