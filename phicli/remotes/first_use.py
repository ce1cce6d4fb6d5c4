"""Says once where text goes: at the first use of a remote that is not this machine."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Final

from phicli.engine.endpoint.address import address_with_key
from phicli.paths import read_small, state_dir, write_atomically
from phicli.remotes.types import Remote

_MOST_KEPT: Final = 1000


def notice(remote: Remote) -> str | None:
    """Where the texts of a conversation go, for people; None where it was said before, and for this machine.

    It is remembered as said, by the address and not by the name: another address is said again. Where it cannot be
    remembered, it is said each time.
    """
    address = address_with_key(remote.url)
    if address.is_loopback or address.shown in (said := _said()):
        return None
    with contextlib.suppress(OSError):
        write_atomically(_file(), json.dumps([*said, address.shown][-_MOST_KEPT:]).encode())
    words = f"{remote.name} is another machine: prompts, files and answers go to {address.shown}"
    return words if address.encrypted else f"{words}, unencrypted: anyone on the network can read them"


def _file() -> Path:
    return state_dir() / "remotes-used.json"


def _said() -> list[str]:
    try:
        said = json.loads(read_small(_file()))
    except (OSError, ValueError, RecursionError):
        return []
    return [one for one in said if isinstance(one, str)] if isinstance(said, list) else []
