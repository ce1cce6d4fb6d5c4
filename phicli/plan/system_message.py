"""The system message of a conversation: what a person asked for, and what a model needs."""

from __future__ import annotations

from phicli.catalog.load import catalog
from phicli.catalog.types import Variant


def system_message(asked: str | None, variant: Variant | None) -> str | None:
    """The system message: a reasoning model needs its own, and what is asked for comes behind it.

    So does the official template of Phi-4-mini-reasoning.

    Args:
        asked: what a person wants; None for the model's own, empty for none at all.
        variant: the model; None for one that the catalog does not know.
    """
    own = variant.system_prompt if variant else None
    if asked is None:
        return own
    if own and asked and variant and variant.reasoning:
        return f"{own} {asked}"
    return asked or None


def words_of_person(system: str | None) -> str | None:
    """The part of a system message that a person asked for, None where there is none: the rest is a model's own."""
    if system is None:
        return None
    for variant in catalog().variants:
        own = variant.system_prompt
        if own and system == own:
            return None
        if own and system.startswith(f"{own} "):
            return system[len(own) + 1 :]
    return system
