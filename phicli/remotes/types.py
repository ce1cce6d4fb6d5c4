"""Remotes, and what the products behind them take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

KindName = Literal["openai", "ollama", "lmstudio", "llama-server", "vllm", "foundry-local", "azure", "nvidia", "phi"]


@dataclass(frozen=True, slots=True)
class Remote:
    """An endpoint that was given a name.

    Attributes:
        name: in lower case; what stands before the slash in ``NAME/MODEL``.
        url: to which ``/chat/completions`` is added; without credentials.
        kind: the product behind it.
        key_env: the variable of the environment that has the key; None where none is sent from there.
        keyring: the key is in the keyring of this system, under the name of the remote.
    """

    name: str
    url: str
    kind: KindName
    key_env: str | None = None
    keyring: bool = False


@dataclass(frozen=True, slots=True)
class RemoteModelName:
    """A model of a remote; ``model`` is the name that the remote knows."""

    remote: Remote
    model: str

    @property
    def reference(self) -> str:
        """What is typed: ``NAME/MODEL``."""
        return f"{self.remote.name}/{self.model}"
