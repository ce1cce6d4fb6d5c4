"""The saved sessions for the commands of ``phi sessions``: opened, completed, and chosen by name or age."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from phicli.chat.store.sessions import SessionInfo, Sessions
    from phicli.ui.terminal import Terminal

LAST: Final = "last"
_OFFERED: Final = 50
_WAIT_S: Final = 0.2
"""The most that a person who presses Tab waits for another writer."""


def complete_session(incomplete: str) -> list[str]:
    """``last`` and the names of the newest sessions that begin with ``incomplete``; none where they cannot be read."""
    from phicli.chat.store.sessions import Sessions
    from phicli.errors import PhiError

    try:
        known = [LAST, *(one.name for one in Sessions(wait_s=_WAIT_S).list(limit=_OFFERED))]
    except (PhiError, OSError):
        return []
    return [name for name in known if name.lower().startswith(incomplete.lower())]


def session_argument(*, several: bool = False) -> typer.models.ArgumentInfo:
    """The argument of a command that takes a session, or ``several``."""
    argument: typer.models.ArgumentInfo = typer.Argument(
        help="Session names, or last." if several else "Session name, or last.",
        metavar="NAME",
        show_default=False,
        autocompletion=complete_session,
    )
    return argument


Name = Annotated[str, session_argument()]


def open_sessions(terminal: Terminal) -> Sessions:
    """The saved sessions; what happened to their file is reported on standard error."""
    from phicli.chat.store.sessions import Sessions

    return Sessions(on_notice=lambda text: terminal.say(f"note: {text}"))


def sessions_to_remove(sessions: Sessions, names: Sequence[str], older_than: str | None) -> tuple[SessionInfo, ...]:
    """The sessions that are meant, each once: those of ``names``, else all that were updated before an age.

    Raises:
        UsageError: names and age are both given, or neither is; or the age makes no sense.
        NotFoundError: there is no session of a name.
        IntegrityError, OSError: as for :meth:`phicli.chat.store.sessions.Sessions.list`.
    """
    from phicli.errors import UsageError

    if names and older_than is not None:
        raise UsageError("NAME and --older-than cannot be used together", "leave out one of them")
    if older_than is None:
        if not names:
            raise UsageError("no sessions were given", "use phi sessions rm NAME, or phi sessions rm --older-than 90d")
        infos = (sessions.get(name).info for name in names)
        return tuple({info.session_id: info for info in infos}.values())
    from phicli.records.removal import time_of_age

    return sessions.list(older_than=time_of_age(older_than))


def remove_sessions(sessions: Sessions, found: Sequence[SessionInfo]) -> None:
    """Remove the sessions ``found``, and the KV caches that were saved for them.

    Raises:
        NotFoundError: another process has removed or renamed one of them; none is removed.
        IntegrityError, OSError: as for :meth:`phicli.chat.store.sessions.Sessions.remove`.
    """
    from phicli.answering.kept_states import remove_state

    for info in sessions.remove([info.name for info in found]):
        remove_state(info.session_id)
