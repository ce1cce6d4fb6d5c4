"""What a client may cost the server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds.

    Attributes:
        body_bytes: of a request.
        head_bytes: of the request line and the headers.
        send_bytes: of a reply that the system takes for a client that does not read.
        messages: of a conversation.
        connections: at a time; more are closed at once.
        requests: answers that are made or waited for at a time; more get the status 503.
        head_s: from the first byte of a request, or from the start of a connection, to the end of the headers.
        body_s: from the headers to the end of the body.
        idle_s: between two requests on a connection.
        linger_s: for the rest of a body that nobody reads.
        write_s: without any progress while a client does not read.
        answer_s: from a request to the end of its answer.
        hold_s: a streamed reply waits so long for the first event, so that an error can still be a status.
        beat_s: between two comments in a stream that has no events.
        grace_s: for answers that are being made when the server ends.
    """

    body_bytes: int = 16 << 20
    head_bytes: int = 64 << 10
    send_bytes: int = 128 << 10
    messages: int = 10_000
    connections: int = 512
    requests: int = 128
    head_s: float = 10.0
    body_s: float = 60.0
    idle_s: float = 60.0
    linger_s: float = 5.0
    write_s: float = 30.0
    answer_s: float = 3600.0
    hold_s: float = 2.0
    beat_s: float = 5.0
    grace_s: float = 5.0


LIMITS: Final = Limits()
"""Those of ``phi serve``."""
