"""What goes wrong with saved sessions, beside the trouble of their file."""

from __future__ import annotations

from phicli.errors import NotFoundError, PhiError


class SessionChangedError(PhiError):
    """Another process has changed or removed the session since it was read."""

    code = "session_changed"


def not_found(name: str, near: str | None = None) -> NotFoundError:
    """There is no session called ``name``; ``near`` is one with a similar name."""
    hint = f"did you mean {near}? " if near else ""
    return NotFoundError(f"session {name!r} not found", f"{hint}see all sessions: phi sessions list")
