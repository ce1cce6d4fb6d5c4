"""Where ``phi`` keeps what is its own. Models are not among it: they live in the Hugging Face cache.

``PHI_HOME`` moves all of it into one folder; otherwise the platform's conventions apply.
"""

from __future__ import annotations

import os
from pathlib import Path

_APP = "phicli"


def expand(path: str) -> Path:
    """``path`` with ``~`` replaced; one of a user that does not exist stays as it is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def log_dir() -> Path:
    """Logs of engines that failed."""
    return state_dir() / "logs"


def state_dir() -> Path:
    """Logs, the REPL's history, the last used model. Not created here, and maybe not writable."""
    if home := os.environ.get("PHI_HOME"):
        return expand(home) / "state"
    import platformdirs

    return platformdirs.user_state_path(_APP, appauthor=False)
