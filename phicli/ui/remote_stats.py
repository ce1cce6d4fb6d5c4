"""What is printed of a model of a remote: ``/show``, and ``phi chat --verbose``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from phicli.remotes.kinds import kind_of
from phicli.ui.answer_stats import answering_facts

if TYPE_CHECKING:
    from phicli.chat.remote import RemotePlan
    from phicli.ui.terminal import Terminal


def remote_facts(plan: RemotePlan) -> Sequence[tuple[str, str]]:
    """The model, its remote and the product behind that: each with its label."""
    remote = plan.model.named.remote
    return [
        ("model", plan.model.named.model),
        ("remote", f"{remote.name}, {remote.url}"),
        ("kind", kind_of(remote).title),
    ]


def print_remote_start(terminal: Terminal, plan: RemotePlan) -> None:
    """The remote, and how its model answers."""
    for label, value in (*remote_facts(plan), *answering_facts(plan)):
        terminal.say(f"{label}: {value}")
