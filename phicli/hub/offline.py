"""What can be done without a network."""

from __future__ import annotations

from typing import Final

from phicli.errors import NetworkError
from phicli.network.offline import offline_variable
from phicli.units import listed

_MOST_NAMES: Final = 12


def offline_error(what: str) -> NetworkError:
    """The error for ``what`` (``phi-4 is not on this machine``) where offline mode forbids the download."""
    name = offline_variable()
    mode = f"phi is in offline mode{f' ({name})' if name else ''}"
    return NetworkError(f"{what}, and {mode}" if what else mode, without_network())


def how_to_get(name: str, it: str = "it") -> str:
    """A hint how the model ``name`` gets here: by a download, where the environment does not forbid that."""
    return f"download {it}: phi pull {name}" if offline_variable() is None else without_network()


def without_network() -> str:
    """What is on this machine, and how a model gets here from another one: a hint that needs no network."""
    from phicli.hub.disk.inventory import inventory

    names = list(dict.fromkeys([*inventory().usable_names, "tiny-phi"]))
    more = f" and {len(names) - _MOST_NAMES} more (phi list --installed)" if len(names) > _MOST_NAMES else ""
    variable = offline_variable()
    allow = f"; to download, unset {variable}" if variable else ""
    return (
        f"on this machine: {listed(names, _MOST_NAMES)}{more}; to bring a model from another machine: "
        f"phi cache export MODEL FILE.tar there, phi cache import FILE.tar here{allow}"
    )
