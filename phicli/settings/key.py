"""Keys of settings and their variables."""

from __future__ import annotations

from dataclasses import dataclass

KeyPath = tuple[str, ...]
"""A key as its parts: ``("profile", "fast", "chat", "max_tokens")``."""


@dataclass(frozen=True, slots=True)
class Key:
    """A setting: ``chat.threads``, and the key that all commands share where there is one: ``threads``."""

    name: str
    shared: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The keys that can set it, the one that wins first."""
        return (self.name, self.shared) if self.shared else (self.name,)


def variable_of(name: str) -> str:
    """The variable of a key: ``PHI_CHAT_MAX_TOKENS`` for ``chat.max_tokens``."""
    return f"PHI_{name.replace('.', '_').upper()}"
