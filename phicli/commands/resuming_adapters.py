"""The adapters (LoRA) of a saved conversation that is continued."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from phicli.chat.remote import NamedRemote
from phicli.chat.saved_adapters import adapters_of_dialogue
from phicli.engine.types import NO_ADAPTERS, Adapter
from phicli.errors import PhiError, WrongBaseError
from phicli.plan.locate import LocatedModel

if TYPE_CHECKING:
    from phicli.chat.store.sessions import SavedSession
    from phicli.commands.conversation_options import Conversation


@dataclass(frozen=True, slots=True)
class WithAdapters(LocatedModel):
    """A file on this machine that is used with ``adapters``, whatever was typed."""

    adapters: tuple[Adapter, ...] = ()


def adapted(model: LocatedModel, adapters: tuple[Adapter, ...]) -> WithAdapters:
    """``model`` with these adapters."""
    values = {one.name: getattr(model, one.name) for one in fields(LocatedModel)}
    return WithAdapters(**values, adapters=adapters)


def with_adapters(wanted: Conversation, model: LocatedModel | NamedRemote, note: Callable[[str], None]) -> Conversation:
    """``wanted`` with the adapters of the session that goes on, where none were typed.

    ``note`` is called where they do not belong to ``model``, which is another one than that of the session.

    Raises:
        PhiError: one of them cannot be used; the hint says how to go on.
    """
    saved = wanted.start.saved
    if saved is None or wanted.adapters_typed or isinstance(model, NamedRemote):
        return wanted
    found = adapters_of_session(saved, model, note, before=wanted.session.before)
    return replace(wanted, options=replace(wanted.options, adapters=found)) if found else wanted


def adapters_of_session(
    saved: SavedSession, model: LocatedModel, note: Callable[[str], None], *, before: int | None = None
) -> tuple[Adapter, ...]:
    """The adapters that ``saved`` goes on with from question ``before``; as :func:`with_adapters`."""
    dialogue, info = saved.dialogue, saved.info
    if before is not None:
        dialogue = dialogue.without_last(max(len(dialogue.turns) + 1 - before, 0))
    adapters = adapters_of_dialogue(dialogue)
    try:
        if fit(adapters, model):
            return adapters
    except PhiError as error:
        error.message = f"the session {info.name} was made with an adapter that cannot be used: {error.message}"
        words = ["phi", "chat", "--session", info.name, "--adapter"]
        error.hint = f"continue without it: {shlex.join([*words, NO_ADAPTERS])}; or with another one: --adapter NAME"
        raise
    note(f"the adapters of the session do not fit {model.name}; it continues without them")
    return ()


def fit(adapters: tuple[Adapter, ...], model: LocatedModel) -> bool:
    """Whether all ``adapters`` fit ``model``.

    Raises:
        PhiError: the file of one, or of the model, cannot be read.
    """
    return all(_fits(adapter, model) for adapter in adapters)


def can_use(adapter: Adapter, model: LocatedModel) -> bool:
    """Whether the file of ``adapter`` can be read and fits ``model``."""
    try:
        return _fits(adapter, model)
    except PhiError:
        return False


def _fits(adapter: Adapter, model: LocatedModel) -> bool:
    from phicli.gguf_file.adapter import check_base, read_adapter
    from phicli.gguf_file.header import read_header

    header = read_adapter(adapter.path)
    try:
        check_base(header, read_header(model.path), name=adapter.path.stem, model=model.name)
    except WrongBaseError:
        return False
    return True
