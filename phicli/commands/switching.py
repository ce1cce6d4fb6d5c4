"""Continues a conversation with another model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from phicli.chat.open import OpenChat
from phicli.chat.remote import NamedRemote, OpenRemote
from phicli.commands.locating import locate_or_offer, remote_named
from phicli.commands.resuming import carried_to
from phicli.commands.resuming_adapters import adapted, adapters_of_session, can_use, fit
from phicli.engine.types import Adapter, Sampling
from phicli.errors import NetworkError, NotFoundError, PhiError, reason_of
from phicli.plan.last_used import remember_last_used
from phicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from phicli.chat.opened import Named
    from phicli.chat.store.sessions import SavedSession
    from phicli.plan.locate import LocatedModel


class Switching:
    """Changes the model of a conversation (:class:`~phicli.chat.talk.Models`).

    Args:
        chat: the conversation.
        terminal: where a person is asked whether a model is to be downloaded.
        tell: shows a line.
        on_change: called with the reference of the model that answers from now on.
        keeps_adapters: the adapters were typed: a saved conversation does not bring its own.
    """

    def __init__(
        self, chat: OpenChat, terminal: Terminal, tell: Callable[[str], None], on_change: Callable[[str], None], *,
        keeps_adapters: bool = False,
    ) -> None:  # fmt: skip
        self._chat = chat
        self._terminal = terminal
        self._tell = tell
        self._on_change = on_change
        self._keeps_adapters = keeps_adapters

    @property
    def name(self) -> str:
        """What the model is called on the command line."""
        return self._chat.models.located.name

    def change(self, name: str) -> None:
        """Go on with the model called ``name``; if that cannot be loaded, the one before goes on."""
        models = self._chat.models
        located = remote_named(name) or locate_or_offer(name, self._terminal, ask=True, quiet=False)
        if _is_same(located, models.located):
            return
        dialogue, notes = carried_to(located, self._chat.session.dialogue, models.located.variant)
        for note in notes:
            self._tell(f"note: {note}")
        self._exchange(self._with_current_adapters(located))
        opened = self._chat.opened
        if isinstance(opened, OpenRemote) and opened.unlisted_note:
            self._tell(f"note: {opened.unlisted_note}")
        self._on_change(located.reference)
        self._chat.session.become(dialogue)
        self._chat.session.on_change(dialogue)  # the session remembers its model, also where nothing else changed
        remember_last_used(located.reference)

    def change_adapters(self, typed: Sequence[str]) -> None:
        """Go on with these adapters, as ``--adapter`` takes them; if they cannot be used, those before go on."""
        from phicli.adapters.typed import adapters_typed
        from phicli.chat.opened import here
        from phicli.engine.abilities import Ability
        from phicli.gguf_file.header import read_header
        from phicli.plan.adapters import adapter_bytes

        model = self._own_model()
        adapters = adapters_typed(typed)
        if adapters:
            self._chat.opened.require(Ability.ADAPTERS)
            adapter_bytes(adapters, read_header(model.path), model.name)  # before the engine that runs is ended
        if adapters != adapters_in_use(self._chat) or not here(self._chat.opened).has_loaded(adapters):
            self._exchange(adapted(model, adapters))

    def adapters(self) -> tuple[str, ...]:
        """The adapters in use, as they are typed."""
        from phicli.adapters.registry import name_of

        self._own_model()
        return tuple(one.typed_as(name_of(one.path)) for one in adapters_in_use(self._chat))

    def other_adapters(self) -> tuple[str, ...]:
        """The names of the adapters that fit the model and are not in use."""
        from phicli.adapters.registry import registered

        model, used = self._own_model(), {one.path for one in adapters_in_use(self._chat)}
        others = (one for one in registered() if one.is_current and one.path not in used)
        return tuple(one.name for one in others if can_use(Adapter(one.path), model))

    def load_for(self, saved: SavedSession) -> None:
        """Go on with the model of a saved conversation.

        Raises:
            PhiError: its model is not on this machine, or it cannot be loaded; then nothing has changed.
        """
        info = saved.info
        try:
            located = self._located_for(saved)
        except (NotFoundError, NetworkError) as error:
            error.message = f"the session {info.name} was made with {info.model}, which cannot be used: {error.message}"
            raise
        wanted = self._with_adapters_of(saved, located)
        if not _is_same(located, self._chat.models.located) or adapters_in_use(self._chat) != adapters_of(wanted):
            self._tell(f"the model is {located.name}")
            self._exchange(wanted)
            remember_last_used(located.reference)

    def facts(self) -> Sequence[tuple[str, str]]:
        """The model and what computes its answers: each with its label."""
        opened = self._chat.opened
        if isinstance(opened, OpenRemote):
            from phicli.ui.remote_stats import remote_facts

            return remote_facts(opened.plan)
        from phicli.chat.opened import here
        from phicli.commands.local_facts import local_facts

        return local_facts(here(opened))

    def ignored(self, sampling: Sampling) -> Sequence[str]:
        """What the engine ignores of ``sampling``, a sentence each."""
        return self._chat.opened.ignored(sampling)

    def _with_adapters_of(self, saved: SavedSession, located: LocatedModel | NamedRemote) -> Named:
        """The model with the adapters of ``saved``; with those in use where they were typed."""
        if isinstance(located, NamedRemote):
            return located
        if self._keeps_adapters:
            return self._with_current_adapters(located)
        return adapted(located, adapters_of_session(saved, located, self._note))

    def _with_current_adapters(self, located: LocatedModel | NamedRemote) -> Named:
        """The model with the adapters in use, if they fit it."""
        adapters = adapters_in_use(self._chat)
        if isinstance(located, NamedRemote) or not adapters:
            return located if isinstance(located, NamedRemote) else adapted(located, ())
        if fit(adapters, located):
            return adapted(located, adapters)
        self._note(f"the adapters do not fit {located.name}; the conversation continues without them")
        return adapted(located, ())

    def _own_model(self) -> LocatedModel:
        """The model, which runs on this machine.

        Raises:
            UsageError: it is one of a remote.
        """
        located = self._chat.models.located
        if isinstance(located, NamedRemote):
            from phicli.commands.remote_options import of_this_machine

            raise of_this_machine("/adapter", located, "to continue with a model of this machine: /model NAME")
        return cast("LocatedModel", located)

    def _note(self, text: str) -> None:
        self._tell(f"note: {text}")

    def _located_for(self, saved: SavedSession) -> LocatedModel | NamedRemote:
        from phicli.chat.remote_gone import require_remote

        info = saved.info
        remote = remote_named(info.model)
        if remote is not None:
            return remote
        require_remote(saved.dialogue, info.model)
        located = locate_or_offer(info.model, self._terminal, ask=True, quiet=False)
        if not located.path.exists():
            raise NotFoundError(f"{located.path} does not exist")
        return located

    def _exchange(self, located: Named) -> None:
        try:
            if not self._only_adapts(located):
                self._chat.models.exchange(located)
        except OSError as error:
            raise PhiError(
                f"{located.name} cannot be opened: {reason_of(error)}", f"the conversation continues with {self.name}"
            ) from error
        finally:
            self._chat.use_opened()

    def _only_adapts(self, located: Named) -> bool:
        """Whether the engine that runs has loaded the model and its adapters: it then uses these from now on."""
        models = self._chat.models
        if isinstance(located, NamedRemote) or not _is_same(cast("LocatedModel", located), models.located):
            return False
        from phicli.chat.opened import here

        opened = here(models.opened).with_adapters(adapters_of(located))
        if opened is not None:
            models.use(opened, located)
        return opened is not None


def _is_same(one: LocatedModel | NamedRemote, other: Named) -> bool:
    """Whether both are the same file, or the same model of the same remote."""
    if isinstance(one, NamedRemote) or isinstance(other, NamedRemote):
        return one == other
    return one.path == getattr(other, "path", None)


def adapters_in_use(chat: OpenChat) -> tuple[Adapter, ...]:
    """The adapters that the model which is open now is used with."""
    opened = chat.opened
    if isinstance(opened, OpenRemote):
        return ()
    from phicli.chat.opened import here

    return here(opened).plan.settings.adapters


def adapters_of(model: Named) -> tuple[Adapter, ...]:
    """The adapters that ``model`` is to be used with."""
    return getattr(model, "adapters", ())
