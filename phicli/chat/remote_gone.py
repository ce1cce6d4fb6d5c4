"""A conversation with a model of a remote that is no longer configured."""

from __future__ import annotations

from collections.abc import Mapping

from phicli.chat.dialogue import Dialogue
from phicli.errors import NotFoundError


def require_remote(dialogue: Dialogue, model: str) -> None:
    """Return unless the last answer of ``dialogue``, or a question after it, was for ``model`` of a remote.

    For a name that means no remote that is configured: else it would be taken for the name of a repository.

    Raises:
        NotFoundError: it was; the hint says how to configure the remote again.
    """
    made = next((turn.facts for turn in reversed(dialogue.turns) if turn.facts), {})
    settings = made.get("settings")
    remote = settings.get("remote") if isinstance(settings, Mapping) else None
    if not isinstance(remote, Mapping) or made.get("model") != model:
        return
    name, url, kind = (str(remote.get(key, "")) for key in ("name", "url", "kind"))
    raise NotFoundError(
        f"there is no remote {name}; it was {url}", f"add it again: phi remotes add {name} {url} --kind {kind}"
    )
