"""Whether there is a setting at all. Without one nothing of the settings is loaded."""

from __future__ import annotations

import os
from typing import Any, Final

from phicli.commands.profile import typed_profile
from phicli.paths import settings_file

_ANY: Final = "something is set"


def something_is_set(ctx: Any) -> bool:
    """Whether there may be a setting: a file, a variable, a profile."""
    if _ANY not in ctx.meta:
        variables = any(name.startswith("PHI_") and name != "PHI_HOME" for name in os.environ)
        ctx.meta[_ANY] = variables or typed_profile(ctx) is not None or os.path.lexists(settings_file())
    found: bool = ctx.meta[_ANY]
    return found
