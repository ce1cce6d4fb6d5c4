"""Where ``phi`` keeps what is its own. Models are not among it: they live in the Hugging Face cache.

``PHI_HOME`` moves all of it into one folder; otherwise the platform's conventions apply.
"""

from __future__ import annotations

import os
from pathlib import Path

_APP = "phicli"


def state_dir() -> Path:
    """Logs, the REPL's history, the last used model. Not created here, and maybe not writable."""
    if home := os.environ.get("PHI_HOME"):
        return Path(home).expanduser() / "state"
    import platformdirs

    return platformdirs.user_state_path(_APP, appauthor=False)
