"""A saved conversation that is continued: its model, and what was said in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from phicli.catalog.types import Variant
from phicli.chat.dialogue import Dialogue
from phicli.commands.conversation_options import Conversation
from phicli.commands.locating import locate_or_offer
from phicli.errors import NetworkError, NotFoundError, PhiError
from phicli.plan.last_used import last_used
from phicli.plan.locate import LocatedModel, locate
from phicli.plan.system_message import system_message
from phicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from phicli.answering.kept_states import GoingOn


def model_of(wanted: Conversation, terminal: Terminal) -> LocatedModel:
    """The model that answers: the one that was typed, that of the session, else the last one used.

    Raises:
        PhiError: it is not on this machine, and nobody wanted the download; or no model was given.
    """
    saved = wanted.start.saved
    name = last_used() if wanted.start.model is None else wanted.start.model
    try:
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


def dialogue_of(wanted: Conversation, model: LocatedModel, note: Callable[[str], None]) -> Dialogue | None:
    """What was said in the session, for ``model``; None for a conversation that begins.

    ``note`` is called with what does not carry over to a model other than that of the session.

    Raises:
        UsageError: there is no such question as the one that it is continued before.
    """
    saved, dialogue = wanted.start.saved, wanted.start.dialogue(wanted.session.before)
    if saved is None or dialogue is None:
        return None
    if model.reference != saved.info.model:
        from phicli.chat.model_change import carried_over
        from phicli.gguf_file.header import read_header

        before = _variant_of(saved.info.model)
        dialogue, notes = carried_over(dialogue, model, read_header(model.path), before=before)
        for text in notes:
            note(text)
    if wanted.options.system is not None:
        dialogue = replace(dialogue, system=system_message(wanted.options.system, model.variant))
    return dialogue


def going_on(wanted: Conversation, dialogue: Dialogue | None, model: LocatedModel) -> GoingOn | None:
    """The conversation as ``model`` needs to know it to continue at once; None for one that begins."""
    saved = wanted.start.saved
    if saved is None or dialogue is None:
        return None
    from phicli.answering.kept_states import GoingOn

    facts = (dialogue.turns[-1].facts if dialogue.turns else None) or {}
    same = facts.get("model") == model.reference and dialogue.system == saved.dialogue.system
    used = (facts.get("context") or {}).get("used_tokens") if same else None
    restores = wanted.session.keep_state and wanted.session.before is None
    return GoingOn(saved.info.session_id, dialogue.messages(), used, restores)


def _variant_of(name: str) -> Variant | None:
    try:
        return locate(name).variant
    except PhiError:
        return None
