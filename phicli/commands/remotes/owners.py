"""Owners of repositories on the hub that are known without asking it."""

from __future__ import annotations

from phicli.errors import PhiError


def known_owner(name: str) -> str | None:
    """The owner of repositories, of the catalog or in the cache, who is called ``name`` in any case."""
    from phicli.catalog.load import catalog
    from phicli.hub.disk.inventory import inventory

    repos = [source.repo for variant in catalog().variants for source in variant.sources]
    try:
        repos += inventory().names
    except (PhiError, OSError):
        pass
    owners = (repo.partition("/")[0] for repo in repos if "/" in repo)
    return next((owner for owner in owners if owner.lower() == name.lower()), None)
