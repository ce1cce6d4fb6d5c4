"""Options of ``phi chat`` for saved conversations and for the limit of the context."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

import typer

from phicli.commands.options import checked, complete_values
from phicli.engine.settings import OneOf
from phicli.errors import UsageError

POLICIES: Final = ("error", "drop", "summarize", "ask")


def read_policy(typed: str) -> str:
    """The policy for a conversation that does not fit into the context.

    Raises:
        UsageError: there is no such policy.
    """
    return OneOf(POLICIES).read(typed, "--on-overflow")


Session = Annotated[
    str | None,
    typer.Option("--session", help="Name of a saved conversation to continue; a new name begins one, e.g. trip."),
]
Continue = Annotated[bool, typer.Option("--continue", "-C", help="Continue the conversation that was saved last.")]
Before = Annotated[
    int | None,
    typer.Option("--before", min=1, help="Continue from before this question of the session, e.g. 3."),
]
Save = Annotated[
    bool, typer.Option("--save/--no-save", help="Save conversations in a terminal, and sessions that are named.")
]
History = Annotated[bool, typer.Option("--history/--no-history", help="Save the lines typed in a terminal.")]
KeepState = Annotated[
    bool,
    typer.Option("--keep-state/--no-keep-state", help="Save the KV cache with a session, to continue it at once."),
]
OnOverflow = Annotated[
    str | None,
    typer.Option(
        "--on-overflow",
        help="What to do when the context is full: error, drop (the oldest turns), summarize or ask "
        "[default: ask in a terminal, else error].",
        autocompletion=complete_values(*POLICIES),
        callback=checked(read_policy),
    ),
]


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """Which conversation is continued, and what is saved of it.

    Attributes:
        name: of the session; None where none was named.
        last: continue the session that was saved last.
        before: continue from before this question, 1 is the first; None for the whole conversation.
        save: save what is said.
        keep_state: save the KV cache of a session.
        on_overflow: the policy when the context is full; None for the default.
        history: save the lines that are typed, where conversations are saved.

    Raises:
        UsageError: the options contradict each other.
    """

    name: str | None = None
    last: bool = False
    before: int | None = None
    save: bool = True
    keep_state: bool = True
    on_overflow: str | None = None
    history: bool = True

    def __post_init__(self) -> None:
        if self.on_overflow is not None:
            object.__setattr__(self, "on_overflow", read_policy(self.on_overflow))
        if self.name is not None and self.last:
            raise UsageError("--session and --continue cannot be used together", "leave out one of them")
        if self.before is not None and not self.asked:
            raise UsageError("--before requires a session", "add --continue or --session NAME")

    @property
    def keeps_history(self) -> bool:
        """Whether the lines that are typed are saved."""
        return self.save and self.history

    @property
    def asked(self) -> bool:
        """Whether a saved conversation was asked for."""
        return self.last or self.name is not None
