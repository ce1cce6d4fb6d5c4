"""Which keys the file may have: what is in it beside them is named with its line."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from phicli.commands import ALIASES, GROUPS, SHARED_SETTINGS, SUMMARIES, WITHOUT_SETTINGS
from phicli.commands.keys import TYPED_EACH_TIME
from phicli.errors import UsageError
from phicli.settings.file import PROFILE, SettingsFile, did_you_mean
from phicli.settings.key import KeyPath
from phicli.settings.lines import written

_TABLES: Final = tuple(name for name in SUMMARIES if name not in WITHOUT_SETTINGS)


def unknown_keys(file: SettingsFile, profile: str, options: Mapping[str, Collection[str]]) -> Iterator[UsageError]:
    """An error for every key that means nothing: at the top, and in the tables of the commands in ``options``.

    Args:
        file: the settings.
        profile: looks into this profile, into the tables outside of profiles when it is empty.
        options: command (``chat``, ``cache.verify``) to the names of its settings. Other tables are not looked into.
    """
    table: KeyPath = (PROFILE, profile) if profile else ()
    top = (*SHARED_SETTINGS, *_TABLES, *(() if profile else (PROFILE,)))
    yield from _unknown(file, table, top, (*_TABLES, PROFILE))
    for name in dict.fromkeys(command.partition(".")[0] for command in options):
        inner = tuple(GROUPS.get(name, ()))
        yield from _unknown(file, (*table, name), inner or options[name], inner)
        for command in inner:
            if (known := options.get(f"{name}.{command}")) is not None:
                yield from _unknown(file, (*table, name, command), known, ())


def _unknown(
    file: SettingsFile, table: KeyPath, known: Collection[str], tables: Collection[str]
) -> Iterator[UsageError]:
    """An error for every key of ``table`` that is not ``known``, or is not a table although it is one of ``tables``."""
    keys = file.value(table)
    for name in keys if isinstance(keys, Mapping) else ():
        path = (*table, name)
        if name not in known:
            yield file.refuse(path, "is not a setting", _remedy(name, known, "".join(f"{part}." for part in table)))
        elif name in tables and not isinstance(keys[name], Mapping):
            yield file.refuse(path, "is not a table", f"write it as [{written(path)}]")


def _remedy(name: str, known: Collection[str], table: str) -> str:
    if name.replace("-", "_") in TYPED_EACH_TIME:
        return f"--{name.replace('_', '-')} can be given only on the command line"
    if name in ALIASES and ALIASES[name] in known:
        return f"did you mean {ALIASES[name]}?"
    return did_you_mean(name, known, table) or "see all settings: phi config list --all"
