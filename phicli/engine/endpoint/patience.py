"""How long an endpoint may be silent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from phicli.errors import UsageError

TIMEOUT: Final = "PHI_ENDPOINT_TIMEOUT"
_SILENCE_S: Final = 120.0


def silence_s(environment: Mapping[str, str]) -> float:
    """Seconds without a byte after which a request counts as dead.

    Raises:
        UsageError: what ``environment`` says is not a number of seconds.
    """
    given = environment.get(TIMEOUT)
    if not given:
        return _SILENCE_S
    if given.isascii() and given.isdigit() and 0 < int(given[:9]) <= 86_400 and len(given) < 9:
        return float(given)
    raise UsageError(f"{TIMEOUT} is not a number of seconds between 1 and 86400", f"for example: {TIMEOUT}=600")
