"""Whether the hub can be reached from here."""

from __future__ import annotations

import os
from typing import Final

from phicli.doctor.types import HubFacts, Problem
from phicli.errors import PhiError
from phicli.hub.download.failures import endpoint
from phicli.hub.download.reach import reach_hub

_CERTIFICATES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def check_hub(*, offline: bool) -> tuple[HubFacts, Problem | None]:
    """The hub and, where it cannot be reached, the problem; offline it is not asked."""
    reachable: bool | None = None
    problem = None
    if not offline:
        try:
            reach_hub()
            reachable = True
        except PhiError as error:
            reachable, problem = False, Problem.of("hub_unreachable", error)
    return HubFacts(endpoint(), reachable, None, certificates()), problem


def certificates() -> str | None:
    """What the environment names in place of the usual certificates, e.g. ``SSL_CERT_FILE=/etc/ca.pem``; else None."""
    named = ((name, os.environ.get(name)) for name in _CERTIFICATES)
    return next((f"{name}={value}" for name, value in named if value), None)
