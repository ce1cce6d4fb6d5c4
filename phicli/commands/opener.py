"""Opens the models of a conversation, on this machine or on a remote."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, cast

from phicli.chat.remote import NamedRemote

if TYPE_CHECKING:
    from phicli.chat.opened import Named, Opened
    from phicli.commands.conversation_options import Conversation
    from phicli.commands.opening import Opening
    from phicli.engine.read_ahead import ReadAhead
    from phicli.plan.locate import LocatedModel
    from phicli.ui.terminal import Terminal


class AnyOpening:
    """Opens a model as the options say (:data:`~phicli.chat.open.Opener`).

    Args:
        wanted: the options.
        terminal: where notes go.
        local: makes what opens models of this machine; called for the first of them, because a conversation with a
            remote alone needs nothing of it.
    """

    def __init__(self, wanted: Conversation, terminal: Terminal, local: Callable[[], Opening]) -> None:
        self._wanted, self._terminal, self._make = wanted, terminal, local
        self._local: Opening | None = None

    @property
    def reading(self) -> ReadAhead | None:
        """How far the last file was read ahead; None before one was opened."""
        return None if self._local is None else self._local.reading

    @contextlib.contextmanager
    def __call__(self, model: Named) -> Iterator[Opened]:
        """The model, open; leaving the context closes it."""
        if isinstance(model, NamedRemote):
            from phicli.commands.opening_remote import open_remotely

            with open_remotely(model, self._wanted, self._terminal) as remote:
                yield remote
            return
        if self._local is None:
            self._local = self._make()
        with self._local(cast("LocatedModel", model)) as loaded:
            yield loaded
