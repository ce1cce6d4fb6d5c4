"""Which value of a setting holds: that of a variable, of the profile, or of the file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from phicli.settings.file import PROFILE, SettingsFile
from phicli.settings.lines import KeyPath


@dataclass(frozen=True, slots=True)
class Key:
    """A setting: ``chat.threads``, and the key that all commands share where there is one: ``threads``."""

    name: str
    shared: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The keys that can set it, the one that wins first."""
        return (self.name, self.shared) if self.shared else (self.name,)


@dataclass(frozen=True, slots=True)
class Source:
    """A value as it was set, and where: ``variable`` is empty for one of the file, ``key`` is the key there."""

    value: Any
    variable: str = ""
    key: KeyPath = ()


def variable_of(name: str) -> str:
    """The variable of a key: ``PHI_CHAT_MAX_TOKENS`` for ``chat.max_tokens``."""
    return f"PHI_{name.replace('.', '_').upper()}"


def find(key: Key, file: SettingsFile, profile: str = "", environment: Mapping[str, str] = os.environ) -> Source | None:
    """The value that holds for ``key``, None when it is set nowhere.

    In this order: the variables, the profile, the file; in each the command's own key before the shared one. An empty
    variable counts as one that is not set.
    """
    for name in key.names:
        variable = variable_of(name)
        if value := environment.get(variable):
            return Source(value, variable=variable)
    for table in ((PROFILE, profile), ()) if profile else ((),):
        for name in key.names:
            path = (*table, *name.split("."))
            if (value := file.value(path)) is not None:
                return Source(value, key=path)
    return None
