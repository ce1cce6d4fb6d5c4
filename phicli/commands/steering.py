"""What the commands of a conversation act on beside its model: the full context, and files that it is written into."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from phicli.chat.open import OpenChat
from phicli.chat.overflow import Overflow
from phicli.commands.overflowing import ASK
from phicli.commands.recording import Recording

if TYPE_CHECKING:
    from phicli.chat.dialogue import Dialogue
    from phicli.chat.talk import ExportForm


class FullContext:
    """What happens when the context is full (:class:`~phicli.chat.talk.Policies`).

    Args:
        overflow: what makes the conversation fit.
        recording: remembers the policy with the saved session.
        typed: the policy on the command line; None where there was none.
    """

    def __init__(self, overflow: Overflow, recording: Recording, typed: str | None) -> None:
        self._overflow, self._recording = overflow, recording
        self._typed = typed
        self._set: str | None = None

    @property
    def policy(self) -> str:
        """The policy in force."""
        return self._overflow.policy

    def set(self, policy: str | None) -> None:
        """From now on ``policy`` counts; None is the one that the conversation began with."""
        self._set = policy
        self.begin()
        self._recording.set_policy(policy)

    def begin(self, saved: str | None = None) -> None:
        """Another conversation begins, or a saved one with its own policy goes on; what a person set still counts."""
        self._overflow.policy = self._set or self._typed or saved or ASK


class ExportFiles:
    """Writes the conversation into files (:class:`~phicli.chat.talk.Exports`)."""

    def __init__(self, chat: OpenChat) -> None:
        self._chat = chat

    def write(self, path: Path, form: ExportForm, name: str, dialogue: Dialogue) -> None:
        """Write ``dialogue``, which is called ``name``, into ``path``; a file that is there is replaced."""
        from phicli.bench.runs.run_files import write_export
        from phicli.ui.sessions.transfer import export_text

        write_export(path, export_text(name, self._chat.models.located.reference, dialogue, form), force=True)
