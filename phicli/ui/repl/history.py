"""The lines that were typed, over all conversations."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from phicli.ui.repl.pasted import MOST_CHARACTERS, PastedTexts

if TYPE_CHECKING:
    from prompt_toolkit.history import History


def history(path: Path | None, pastes: PastedTexts, tell: Callable[[str], None]) -> History:
    """The history in a file that only its owner reads; without a file, or where it cannot be written, in memory.

    Long pasted texts are not saved. When the disk is full, new lines are not saved.
    """
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    class PatientFileHistory(FileHistory):
        """A history whose disk may fill up: then it forgets instead of ending the conversation."""

        def store_string(self, string: str) -> None:
            if len(pastes.whole(string)) <= MOST_CHARACTERS:
                with contextlib.suppress(OSError):
                    super().store_string(string)

    if path is None:
        return InMemoryHistory()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        with path.open("ab"):
            pass
        path.chmod(0o600)
    except OSError as error:
        tell(f"the input history cannot be saved: {error.strerror}: {path}")
        return InMemoryHistory()
    return PatientFileHistory(str(path))
