"""The key that was typed behind ``phi config``: its profile and its setting; and their completion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from phicli.commands.profile import typed_profile
from phicli.errors import NotFoundError
from phicli.settings.file import PROFILE
from phicli.settings.key import KeyPath
from phicli.settings.lines import key_parts


@dataclass(frozen=True, slots=True)
class Target:
    """A key, and the profile that it is in: empty for none, None when none was typed."""

    profile: str | None
    name: str

    @property
    def path(self) -> KeyPath:
        """The key in the file."""
        parts = key_parts(self.name) or (self.name,)
        return (PROFILE, self.profile, *parts) if self.profile else parts


def target(ctx: Any, typed: str) -> Target:
    """What is meant by a key such as ``chat.max_tokens`` or ``profile.fast.chat.max_tokens``, and by ``--profile``.

    Raises:
        NotFoundError: it is not a key.
    """
    parts = key_parts(typed)
    if parts is None:
        raise NotFoundError(f"unknown setting: {typed!r}", "see all settings: phi config list --all")
    if parts[0] == PROFILE and len(parts) > 2:
        return Target(parts[1], ".".join(parts[2:]))
    return Target(typed_profile(ctx), typed)


def complete_key(incomplete: str) -> list[str]:
    """Keys that begin with ``incomplete``."""
    from phicli.commands.config.table import all_settings

    return [name for name in all_settings() if name.startswith(incomplete)]


def complete_set_key(incomplete: str) -> list[str]:
    """Keys of the file that begin with ``incomplete``, those of profiles too."""
    from phicli.errors import PhiError
    from phicli.settings.file import read_settings
    from phicli.settings.lines import statements, written

    try:
        text = read_settings().text or ""
    except PhiError:
        return []
    names = [written(one.key) for one in statements(text)]
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]


def complete_value(ctx: typer.Context, incomplete: str) -> list[str]:
    """Values of the key before it, where its option completes."""
    from phicli.commands.config.table import all_settings

    setting = all_settings().get(str(ctx.params.get("key")))
    if setting is None:
        return []
    parameter = setting.options[0].parameter
    if parameter.type_descriptor.annotation is bool:
        return [word for word in ("true", "false") if word.startswith(incomplete)]
    return [item.value for item in parameter.shell_complete(ctx, incomplete)]


Key = Annotated[
    str,
    typer.Argument(
        help="Setting, e.g. model, chat.max_tokens or profile.fast.chat.max_tokens.", metavar="KEY",
        autocompletion=complete_key, show_default=False,
    ),
]  # fmt: skip
