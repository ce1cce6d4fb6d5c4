"""Which value of a setting holds: that of a variable, of the profile, or of the file; errors that say which."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from phicli.errors import PhiError
from phicli.settings.file import PROFILE, SettingsFile, hint, toml_value
from phicli.settings.key import Key, KeyPath, variable_of


@dataclass(frozen=True, slots=True)
class Source:
    """A value as it was set, and where: ``variable`` is empty for one of the file, ``key`` is the key there."""

    value: Any
    variable: str = ""
    key: KeyPath = ()


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


def about(file: SettingsFile, source: Source, what: str, error: PhiError) -> PhiError:
    """``error`` with where its value was set, and how that is changed."""
    if source.variable:
        message = f"{source.variable}={source.value}{what}"
        then = f"change it, or remove it: unset {source.variable}"
    else:
        refused = file.refuse(source.key, f"= {toml_value(source.value)}{what}")
        message, then = refused.message, refused.hint
    error.args = (message,)
    error.message, error.hint = message, hint(error.hint, then)
    return error
