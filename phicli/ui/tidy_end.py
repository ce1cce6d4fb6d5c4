"""What leaves nothing half written behind when the system asks the process to end."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Final

_TERMINATED: Final = 128 + signal.SIGTERM


@contextlib.contextmanager
def tidy_end() -> Iterator[None]:
    """Within the context SIGTERM ends the process as Ctrl-C does: what was begun is removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
