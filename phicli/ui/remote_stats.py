"""What is printed of a model of a remote: ``/show``, and ``phi chat --verbose``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from phicli.remotes.kinds import kind_of
from phicli.ui.models.sampling import sampling_values

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
    for label, value in (*remote_facts(plan), *_answers(plan)):
        terminal.say(f"{label}: {value}")


def _answers(plan: RemotePlan) -> Iterator[tuple[str, str]]:
    yield "sampling", f"{sampling_values(plan.sampling)}, seed {plan.sampling.seed}"
    if plan.stop_texts:
        yield "stop texts", " ".join(map(repr, plan.stop_texts))
    if plan.think_budget is not None:
        yield "think budget", f"{plan.think_budget} tokens"
    if plan.system:
        yield "system message", plan.system
