"""Asks a server over its socket."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from phicli.supervisor.client import UnixConnection

QUESTION = {"model": "tiny-phi", "messages": [{"role": "user", "content": "What is the capital of France?"}]}


def ask(path: str, method: str, target: str, body: Any = None) -> Any:
    connection = UnixConnection(Path(path), 60)
    connection.request(method, target, json.dumps(body), {"Content-Type": "application/json"})
    reply = connection.getresponse()
    content = json.loads(reply.read())
    connection.close()
    return content
