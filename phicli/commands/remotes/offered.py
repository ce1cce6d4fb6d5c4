"""``phi recommend`` where nothing runs on this machine: remotes that have a model are named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from phicli.errors import DoesNotFitError, PhiError, UnsupportedModelError, UsageError
from phicli.fit.types import Request
from phicli.plan.recommendation import Report

_MOST: Final = 3


def report_or_offers(make: Callable[[], Report], request: Request) -> Report:
    """The report that ``make`` makes. An error that nothing runs here names remotes that have a model for ``request``.

    Remotes are asked only then.

    Raises:
        PhiError: as ``make``.
    """
    try:
        return make()
    except (DoesNotFitError, UnsupportedModelError) as error:
        if not request.installed_only:
            _add_offers(error, request)
        raise


def _add_offers(error: PhiError, request: Request) -> None:
    from phicli.paths import remotes_file

    if not remotes_file().is_file():
        return
    from phicli.remotes.offering import offers

    try:
        found = offers(_wanted(request))
    except UsageError:  # of the file: what was asked for is the other error
        return
    if not found:
        return
    named = [f"phi chat {offer.named.reference} ({offer.variant_id})" for offer in found[:_MOST]]
    error.hint = f"use a remote: {', or '.join(named)}; or {error.hint}".removesuffix("; or ")
    rows: list[dict[str, Any]] = [
        {"remote": offer.named.remote.name, "model": offer.named.model, "catalog": offer.variant_id} for offer in found
    ]
    error.data = {**(error.data or {}), "remotes": rows}


def _wanted(request: Request) -> list[str]:
    """The variants for the task, the best first, wherever they run."""
    from phicli.catalog.load import catalog
    from phicli.fit.tasks import task_named

    task = task_named(request.task)
    able = [
        variant
        for variant in catalog().variants
        if not variant.packaged_file
        and "chat" in variant.capabilities
        and (not task.needs or set(task.needs) & set(variant.capabilities))
        and (request.license is None or variant.license.casefold() == request.license.strip().casefold())
        and (request.context_tokens or 0) <= variant.context_tokens
    ]
    rank = {name: place for place, name in enumerate(task.order)}
    return [variant.id for variant in sorted(able, key=lambda one: -rank.get(one.id, -1))]
