"""Continues a conversation with another model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from phicli.chat.model_change import carried_over
from phicli.chat.open import OpenChat
from phicli.commands.locating import locate_or_offer
from phicli.engine.starting import build_of
from phicli.engine.types import Sampling
from phicli.errors import NetworkError, NotFoundError, PhiError, reason_of
from phicli.gguf_file.header import read_header
from phicli.gguf_file.names import parts_of
from phicli.plan.engine_file import sampling_notices
from phicli.plan.last_used import remember_last_used
from phicli.plan.locate import LocatedModel
from phicli.ui.answer_stats import memory_says
from phicli.ui.terminal import Terminal
from phicli.units import format_bytes

if TYPE_CHECKING:
    from phicli.chat.store.sessions import SavedSession


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
        self._exchange(located)
        self._on_change(located.reference)
        self._chat.session.become(dialogue)
        self._chat.session.on_change(dialogue)  # the session remembers its model, also where nothing else changed
        remember_last_used(located.reference)

    def load_for(self, saved: SavedSession) -> None:
        """Go on with the model of a saved conversation.

        Raises:
            PhiError: its model is not on this machine, or it cannot be loaded; then nothing has changed.
        """
        info = saved.info
        try:
            located = locate_or_offer(info.model, self._terminal, ask=True, quiet=False)
            if not located.path.exists():
                raise NotFoundError(f"{located.path} does not exist")
        except (NotFoundError, NetworkError) as error:
            error.message = f"the session {info.name} was made with {info.model}, which cannot be used: {error.message}"
            raise
        if located.path != self._chat.models.located.path:
            self._tell(f"the model is {located.name}")
            self._exchange(located)
            remember_last_used(located.reference)

    def facts(self) -> Sequence[tuple[str, str]]:
        """The model, its file, its engine and the memory that the engine takes: each with its label."""
        from phicli.bench.measuring.peak_memory import PeakMemory

        located, opened = self._chat.models.located, self._chat.opened
        size = sum(part.stat().st_size for part in parts_of(located.path) if part.exists())
        memory = PeakMemory(opened.engines[-1].pid)
        memory.look()
        peak = memory.peak
        return [
            ("model", located.name),
            *([("quant", located.quant)] if located.quant else []),
            ("file", f"{format_bytes(size)}, {located.path}"),
            ("engine", f"{opened.build or build_of(opened.engine)}{', of phi serve' if opened.attached else ''}"),
            *([("memory", memory_says(peak))] if peak is not None else []),
        ]

    def ignored(self, sampling: Sampling) -> Sequence[str]:
        """What the engine ignores of ``sampling``, a sentence each."""
        return sampling_notices(self._chat.opened.engine, sampling)

    def _exchange(self, located: LocatedModel) -> None:
        try:
            self._chat.models.exchange(located)
        except OSError as error:
            raise PhiError(
                f"{located.name} cannot be opened: {reason_of(error)}", f"the conversation continues with {self.name}"
            ) from error
        finally:
            self._chat.use_opened()
