"""``phi`` with a remote that is an endpoint of the test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.endpoint import Behaviour, Endpoint


def configure(environment: Mapping[str, str], url: str, name: str = "lab", kind: str = "vllm", **more: str) -> None:
    """Add a remote to those of ``environment``."""
    folder = Path(environment["PHI_HOME"]) / "config"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"[{name}]", *(f'{key} = "{value}"' for key, value in {"url": url, "kind": kind, **more}.items())]
    with (folder / "remotes.toml").open("a", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def says(*pieces: str, **more: Any) -> Behaviour:
    """An answer of these pieces of text that ends by itself."""
    return Behaviour(pieces=pieces, **{"finish": "stop", **more})


def sent(endpoint: Endpoint) -> list[tuple[str, str]]:
    """Role and text of each message of the last request."""
    return [(message["role"], message["content"]) for message in endpoint.chats[-1].body["messages"]]
