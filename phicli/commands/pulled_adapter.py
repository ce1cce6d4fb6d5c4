"""What ``phi pull`` does with an adapter (LoRA): it gets a name here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phicli.hub.download.pull import PullResult
    from phicli.hub.download.request import PullRequest
    from phicli.ui.terminal import Terminal


def add_downloaded(terminal: Terminal, result: PullResult, *, quiet: bool, as_json: bool) -> None:
    """Give the adapter that was downloaded a name, and say how it is used.

    Raises:
        PhiError: it is an adapter that cannot be used; says why.
    """
    from phicli.adapters.adding import add
    from phicli.gguf_file.names import is_gguf_name, stem_of
    from phicli.ui.adapters.adding import print_pulled, progress

    repo, _, file = result.name.partition(":")
    label = stem_of(file) if is_gguf_name(file) else "-".join(filter(None, (repo.partition("/")[2], file)))
    with progress(terminal, "converting") as on_bytes:
        added = add(result.path, source=result.name, label=label, on_bytes=on_bytes)
    print_pulled(terminal, result, added, quiet=quiet, as_json=as_json)


def print_adapter_here(terminal: Terminal, request: PullRequest, *, as_json: bool) -> bool:
    """Without a network: print the adapter that was downloaded earlier; returns False where there is none."""
    from phicli.adapters.registry import registered
    from phicli.ui.adapters.adding import print_known

    known = next((one for one in registered() if one.source == request.name and one.is_current), None)
    if known is None or request.force:
        return False
    print_known(terminal, known, as_json=as_json)
    return True
