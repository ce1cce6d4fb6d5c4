"""Opens models of remotes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from phicli import __version__
from phicli.engine.endpoint.address import Address
from phicli.engine.endpoint.client import EndpointClient
from phicli.engine.endpoint.patience import silence_s
from phicli.engine.types import Sampling
from phicli.plan.sampling import LLAMA_CPP_TEMPERATURE, sampling_of_variant
from phicli.remotes.keys import address_of
from phicli.remotes.kinds import kind_of
from phicli.remotes.listing import variant_meant
from phicli.remotes.model import RemoteModel
from phicli.remotes.retrying import Retrying
from phicli.remotes.types import RemoteModelName


@contextmanager
def open_remote(
    named: RemoteModelName,
    *,
    usual: Sampling | None = None,
    connections: int = 1,
    retrying: Retrying | None = None,
) -> Iterator[RemoteModel]:
    """A model of a remote; nothing is sent before it is asked, and nothing is printed.

    Args:
        named: the remote, and its name for the model.
        usual: the sampling where nobody asks for another one; None for that of the model.
        connections: how many of them are kept between requests.
        retrying: when a request is sent again; None for what is usual.

    Raises:
        UsageError: the remote's address or key, or a variable of the environment, makes no sense.
    """
    with client_at(address_of(named.remote), connections=connections) as client:
        yield RemoteModel(
            named,
            kind_of(named.remote),
            client,
            usual_sampling(named.model) if usual is None else usual,
            silence_s(os.environ),
            Retrying() if retrying is None else retrying,
        )


def client_at(address: Address, *, connections: int = 1) -> EndpointClient:
    """What asks the endpoint of a remote.

    Raises:
        UsageError: a proxy of the environment makes no sense.
        NetworkError: a variable names certificates that cannot be used.
    """
    return EndpointClient(address, connections=connections, agent=f"phi/{__version__}", measures=False)


def usual_sampling(model: str) -> Sampling:
    """The sampling of a remote's ``model``: that of the catalog where its name means a variant.

    Other models are asked as files are that the catalog does not know: Phi models for the likeliest token each time.
    """
    variant = variant_meant(model)
    if variant is not None:
        return sampling_of_variant(variant).sampling
    return Sampling() if "phi" in model.casefold() else Sampling(temperature=LLAMA_CPP_TEMPERATURE)
