"""Whether the hub can be reached from here."""

from __future__ import annotations

from phicli.doctor.types import HubFacts, Problem
from phicli.errors import PhiError
from phicli.hub.download.failures import endpoint, shown_endpoint
from phicli.hub.download.reach import reach_hub
from phicli.network.certificates import trusted
from phicli.network.offline import offline_variable
from phicli.network.proxies import proxy_for


def check_hub() -> tuple[HubFacts, Problem | None]:
    """The hub and, where it cannot be reached, the problem; a machine that is told to stay offline does not ask it."""
    proxy, named = proxy_for(endpoint()), trusted()  # before the request: it makes all libraries use the same ones
    certificates = "=".join(named) if named else None
    reachable: bool | None = None
    problem = None
    if offline_variable() is None:
        try:
            reach_hub()
            reachable = True
        except PhiError as error:
            reachable, problem = False, Problem.of("hub_unreachable", error)
    return HubFacts(shown_endpoint(), reachable, proxy.named if proxy else None, certificates), problem
