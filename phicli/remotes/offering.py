"""Which remotes have a model: all are asked at a time, briefly, and one that does not answer has none."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from phicli.errors import PhiError
from phicli.network.offline import offline_variable
from phicli.remotes import last_listed
from phicli.remotes.keys import address_of
from phicli.remotes.kinds import kind_of
from phicli.remotes.known import remotes
from phicli.remotes.listing import variant_meant
from phicli.remotes.opening import client_at
from phicli.remotes.types import Remote, RemoteModelName

PATIENCE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Offer:
    """A model of a remote, and the variant of the catalog that it seems to be."""

    named: RemoteModelName
    variant_id: str


def offers(wanted: Sequence[str], *, patience_s: float = PATIENCE_S) -> tuple[Offer, ...]:
    """The models of the configured remotes that are one of the variants ``wanted``, in that order.

    Where the environment switches the network off, only remotes on this machine are asked. No remote is waited for
    longer than ``patience_s``, whatever it does.

    Raises:
        UsageError: the file of the remotes has an error.
    """
    found: dict[str, tuple[str, ...]] = {}
    known = tuple(remote for remote in remotes() if kind_of(remote).lists_models)
    threads = [threading.Thread(target=_ask, args=(remote, patience_s, found), daemon=True) for remote in known]
    until = time.monotonic() + patience_s
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    answered = dict(found)
    offered = [
        Offer(RemoteModelName(remote, name), variant.id)
        for remote in known
        for name in answered.get(remote.name, ())
        if (variant := variant_meant(name)) is not None and variant.id in wanted
    ]
    return tuple(sorted(offered, key=lambda offer: wanted.index(offer.variant_id)))


def _ask(remote: Remote, patience_s: float, found: dict[str, tuple[str, ...]]) -> None:
    """Put the models of ``remote`` into ``found``; nothing where it does not give them."""
    try:
        address = address_of(remote)
        if offline_variable() is not None and not address.is_loopback:
            return
        with client_at(address) as client:
            names = client.models(silence_s=patience_s)
    except PhiError:
        return
    found[remote.name] = names
    last_listed.remember(remote, names)
