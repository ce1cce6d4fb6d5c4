"""Reads a terminal in bursts: what arrives without a pause is one key, or all of a paste."""

from __future__ import annotations

import errno
import os
import select
from typing import Final

MOST_BYTES: Final = 1 << 23
"""A burst ends here, so that something that types without end cannot fill the memory."""
_BY_HAND_BYTES: Final = 8
_LARGE_BYTES: Final = 4096
_READ_BYTES: Final = 1 << 16


def read_burst(terminal: int) -> bytes:
    """What arrived at a terminal in raw mode, up to the next pause; waits for the first byte.

    Raises:
        EOFError: the terminal is gone.
    """
    burst = bytearray(_read(terminal))
    while len(burst) < MOST_BYTES and is_ready(terminal, _pause_s(burst)):
        try:
            burst += _read(terminal)
        except EOFError:  # the next call raises it
            break
    return bytes(burst)


def is_ready(terminal: int, within_s: float = 0) -> bool:
    """Whether there is something to read, or becomes so in time."""
    return bool(select.select([terminal], [], [], within_s)[0])


def _pause_s(burst: bytearray) -> float:
    """How long the next byte may take, in seconds. A single key does not wait: an Enter does, as a paste has many."""
    if len(burst) > _LARGE_BYTES:
        return 0.15
    if b"\r" in burst[:-1] or b"\n" in burst[:-1]:
        return 0.05
    return 0.01 if len(burst) > _BY_HAND_BYTES or burst.endswith(b"\r") else 0


def _read(terminal: int) -> bytes:
    while True:
        try:
            data = os.read(terminal, _READ_BYTES)
        except OSError as error:
            if error.errno == errno.EAGAIN:
                select.select([terminal], [], [])
                continue
            raise EOFError from None
        if not data:
            raise EOFError
        return data
