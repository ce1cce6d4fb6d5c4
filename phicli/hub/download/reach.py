"""Asks the hub whether it answers at all."""

from __future__ import annotations

from phicli.hub.download.failures import check_environment, endpoint, translated

_ANSWER_S = 10.0


def reach_hub() -> None:
    """Return if the hub answers, whatever it says; a mirror need not have a page at its address.

    Raises:
        UsageError: an address in the environment is not one.
        NetworkError: nobody answers.
    """
    check_environment()
    from huggingface_hub import get_session

    with translated("", None):
        get_session().head(endpoint(), timeout=_ANSWER_S, follow_redirects=False)
