"""Names of models on remotes: ``NAME/MODEL``."""

from __future__ import annotations

from typing import Final

from phicli.errors import UsageError
from phicli.paths import is_there
from phicli.remotes.known import find
from phicli.remotes.types import Remote, RemoteModelName

_LONGEST: Final = 512


def remote_model(typed: str) -> RemoteModelName | None:
    """The model of a remote that ``typed`` means: ``NAME/MODEL``, where NAME is a remote that is configured.

    None for everything else, and for an existing path. The name of the model is passed on as it is: it may have
    slashes, colons and capital letters.

    Raises:
        UsageError: the file of the remotes cannot be read, this remote has an error there, or the name of the model is
            missing or cannot be one.
    """
    name, slash, model = typed.partition("/")
    if not slash or "://" in typed or "\\" in name or (remote := find(name)) is None or is_there(typed):
        return None
    return RemoteModelName(remote, checked_model(remote, model))


def checked_model(remote: Remote, model: str) -> str:
    """``model``, where it can be the name of one.

    Raises:
        UsageError: it cannot.
    """
    if not model.strip():
        raise UsageError(
            f"the name of the model is missing after {remote.name}/", f"see its models: phi remotes test {remote.name}"
        )
    if len(model) > _LONGEST or not model.isprintable() or model != model.strip():
        raise UsageError(
            f"this is not the name of a model on {remote.name}", f"see its models: phi remotes test {remote.name}"
        )
    return model
