"""A loopback hub: the Hugging Face protocol on 127.0.0.1, well behaved or not."""

from .faults import Fault, Faults
from .log import RecordedRequest, RequestLog
from .repos import Repo
from .server import LoopbackHub

__all__ = ["Fault", "Faults", "LoopbackHub", "RecordedRequest", "Repo", "RequestLog"]
