"""Continues a conversation with another model."""

from __future__ import annotations

from collections.abc import Callable

from phicli.chat.model_change import carried_over
from phicli.chat.open import OpenChat
from phicli.commands.locating import locate_or_offer
from phicli.errors import PhiError, reason_of
from phicli.gguf_file.header import read_header
from phicli.plan.last_used import remember_last_used
from phicli.ui.terminal import Terminal


class Switching:
    """Changes the model of a conversation (:class:`~phicli.chat.talk.Models`).

    Args:
        chat: the conversation.
        terminal: where a person is asked whether a model is to be downloaded.
        tell: shows a line.
        on_change: called with the reference of the model that answers from now on.
    """

    def __init__(
        self, chat: OpenChat, terminal: Terminal, tell: Callable[[str], None], on_change: Callable[[str], None]
    ) -> None:
        self._chat = chat
        self._terminal = terminal
        self._tell = tell
        self._on_change = on_change

    @property
    def name(self) -> str:
        """What the model is called on the command line."""
        return self._chat.models.located.name

    def change(self, name: str) -> None:
        """Go on with the model called ``name``; if that cannot be loaded, the one before goes on."""
        models = self._chat.models
        located = locate_or_offer(name, self._terminal, ask=True, quiet=False)
        if located.path == models.located.path:
            return
        dialogue, notes = carried_over(
            self._chat.session.dialogue, located, read_header(located.path), before=models.located.variant
        )
        for note in notes:
            self._tell(f"note: {note}")
        try:
            models.exchange(located)
        except OSError as error:
            raise PhiError(
                f"{located.name} cannot be opened: {reason_of(error)}", f"the conversation continues with {self.name}"
            ) from error
        finally:
            self._chat.use_opened()
        self._on_change(located.reference)
        self._chat.session.become(dialogue)
        self._chat.session.on_change(dialogue)  # the session remembers its model, also where nothing else changed
        remember_last_used(located.reference)
