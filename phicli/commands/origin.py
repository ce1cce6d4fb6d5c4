"""Errors that name where a value was set: the line of the file, or the variable."""

from __future__ import annotations

import re
from typing import Any

from phicli.errors import NotFoundError, PhiError, UsageError
from phicli.settings.file import SettingsFile, hint, toml_value
from phicli.settings.lookup import Source


def is_about(error: PhiError, parameter: Any, source: Source) -> bool:
    """Whether ``error`` names the option, or quotes the value that was set for it."""
    if not isinstance(error, UsageError) and type(error) is not NotFoundError:
        return False
    names = [re.escape(option) for option in (*parameter.opts, *parameter.secondary_opts) if option.startswith("--")]
    quoted = re.escape(repr(str(source.value)))
    return re.search(rf"(?<![\w-])(?:{'|'.join([*names, quoted])})(?![\w-])", error.message) is not None


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
