"""A saved conversation that is continued: its model, and what was said in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from phicli.chat.dialogue import Dialogue
from phicli.chat.remote import NamedRemote
from phicli.commands.conversation_options import Conversation
from phicli.commands.locating import locate_or_offer, remote_named
from phicli.errors import NetworkError, NotFoundError, PhiError
from phicli.plan.last_used import last_used
from phicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from phicli.answering.kept_states import GoingOn
    from phicli.catalog.types import Variant
    from phicli.plan.locate import LocatedModel


def model_of(wanted: Conversation, terminal: Terminal) -> LocatedModel | NamedRemote:
    """The model that answers: the one that was typed, that of the session, else the last one used.

    Raises:
        PhiError: it is not on this machine, and nobody wanted the download; or no model was given.
    """
    if wanted.start.remote is not None:
        return wanted.start.remote
    saved = wanted.start.saved
    name = last_used() if wanted.start.model is None else wanted.start.model
    try:
        if saved is not None and name == saved.info.model:
            from phicli.chat.remote_gone import require_remote

            require_remote(saved.dialogue, name)
        model = locate_or_offer(name, terminal, ask=not wanted.as_json, quiet=wanted.quiet)
        if saved is not None and name == saved.info.model and not model.path.exists():
            raise NotFoundError(f"{model.path} does not exist")
        return model
    except (NotFoundError, NetworkError) as error:
        if saved is not None and name == saved.info.model:
            error.message = f"the session {saved.info.name} was made with {name}, which cannot be used: {error.message}"
            other = f"continue with another model: phi chat tiny-phi --session {saved.info.name}"
            error.hint = f"{error.hint}; or {other}" if error.hint else other
        raise


def dialogue_of(
    wanted: Conversation, model: LocatedModel | NamedRemote, note: Callable[[str], None]
) -> Dialogue | None:
    """What was said in the session, for ``model``; None for a conversation that begins.

    ``note`` is called with what does not carry over to a model other than that of the session.

    Raises:
        UsageError: there is no such question as the one that it is continued before.
    """
    saved, dialogue = wanted.start.saved, wanted.start.dialogue(wanted.session.before)
    if saved is None or dialogue is None:
        return None
    if model.reference != saved.info.model:
        dialogue, notes = carried_to(model, dialogue, _variant_of(saved.info.model))
        for text in notes:
            note(text)
    if wanted.options.system is not None:
        dialogue = replace(dialogue, system=system_for(model, wanted.options.system))
    return dialogue


def carried_to(
    model: LocatedModel | NamedRemote, dialogue: Dialogue, before: Variant | None
) -> tuple[Dialogue, tuple[str, ...]]:
    """The conversation as ``model`` can continue it, and sentences about what does not carry over.

    ``before`` is the model that answered so far; None where the catalog does not know it.

    Raises:
        PhiError: the file of the model cannot be read.
    """
    from phicli.chat.model_change import carried_over, carried_to_remote

    if isinstance(model, NamedRemote):
        return carried_to_remote(dialogue, model, before=before)
    from phicli.gguf_file.header import read_header

    return carried_over(dialogue, model, read_header(model.path), before=before)


def system_for(model: LocatedModel | NamedRemote, asked: str | None) -> str | None:
    """The system message that is sent where a person wants ``asked``; a remote adds that of its model."""
    if isinstance(model, NamedRemote):
        return asked or None
    from phicli.plan.system_message import system_message

    return system_message(asked, model.variant)


def going_on(wanted: Conversation, dialogue: Dialogue | None, model: LocatedModel | NamedRemote) -> GoingOn | None:
    """The conversation as ``model`` needs to know it to continue at once; None for a new one, and for a remote."""
    saved = wanted.start.saved
    if saved is None or dialogue is None or isinstance(model, NamedRemote):
        return None
    from phicli.answering.kept_states import GoingOn

    facts = (dialogue.turns[-1].facts if dialogue.turns else None) or {}
    same = facts.get("model") == model.reference and dialogue.system == saved.dialogue.system
    used = (facts.get("context") or {}).get("used_tokens") if same else None
    restores = wanted.session.keep_state and wanted.session.before is None
    return GoingOn(saved.info.session_id, dialogue.messages(), used, restores)


def _variant_of(name: str) -> Variant | None:
    from phicli.plan.locate import locate

    try:
        remote = remote_named(name)
        return locate(name).variant if remote is None else remote.variant
    except PhiError:
        return None
