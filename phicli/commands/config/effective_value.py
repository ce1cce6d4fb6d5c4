"""Which value of a setting holds, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from phicli.commands.config.setting import Setting
from phicli.commands.config.table import all_settings, options_of_commands
from phicli.commands.configured import chosen_profile
from phicli.commands.known_keys import unknown_keys
from phicli.commands.profile import typed_profile
from phicli.engine.starting import find_program
from phicli.errors import NotFoundError, PhiError, UsageError
from phicli.paths import settings_file
from phicli.settings.file import PROFILE, SettingsFile, read_settings
from phicli.settings.key import Key, variable_of
from phicli.settings.listing import From, Listing, Row
from phicli.settings.lookup import Source, about, find


def listing(ctx: Any, *, everything: bool) -> Listing:
    """The settings that are set, or ``everything`` there is. A broken file, or variable, is a problem in it.

    Raises:
        NotFoundError: there is no such profile as was typed.
    """
    problems: list[PhiError] = []
    profile = chosen_profile(ctx)
    try:
        file = read_settings()
        file.require_profile(profile)
    except PhiError as error:
        if isinstance(error, NotFoundError) and typed_profile(ctx) is not None:
            raise
        problems.append(error)
        file, profile = SettingsFile(settings_file()) if isinstance(error, UsageError) else file, ""
    problems += problems_of(file)
    rows = tuple(
        row_of(setting, file, profile)
        for setting in all_settings().values()
        if everything or _is_set(setting, file, profile)
    )
    problems += [row.problem for row in rows if row.problem is not None and row.place == row.variable]
    return Listing(file.path, file.profiles(), profile, rows, tuple(problems))


def row_of(setting: Setting, file: SettingsFile, profile: str) -> Row:
    """The value of ``setting`` that holds; one that its command does not take is shown as it was written."""
    source = find(setting.key, file, profile)
    value, problem = (setting.default, None) if source is None else _read(setting, file, source)
    place = "" if source is None else source.variable or file.place(source.key)
    return Row(
        setting.key.name, value, _from(source), place, setting.flag, variable_of(setting.key.name), setting.default,
        setting.help, problem,
    )  # fmt: skip


def problems_of(file: SettingsFile) -> Iterator[PhiError]:
    """What is wrong in the file, in its profiles too: keys that mean nothing, values that no command takes."""
    for profile in ("", *file.profiles()):
        try:
            file.require_profile(profile)
        except UsageError as error:
            yield error
            continue
        yield from unknown_keys(file, profile, options_of_commands())
        for name, setting in all_settings().items():
            key = (*((PROFILE, profile) if profile else ()), *name.split("."))
            if (value := file.value(key)) is not None:
                _, problem = _read(setting, file, Source(value, key=key))
                yield from () if problem is None else (problem,)


def missing_engines(file: SettingsFile) -> Iterator[PhiError]:
    """The engines that are set, by a variable or outside profiles, and are not on this machine."""
    for name in all_settings():
        command, _, last = name.rpartition(".")
        source = find(Key(name), file) if last == "engine" else None
        if source is None:
            continue
        program = find(all_settings()[f"{command}.llama_server".lstrip(".")].key, file)
        for engine in str(source.value).split(","):
            try:
                find_program(engine.strip().lower(), Path(str(program.value)) if program else None)
            except NotFoundError as error:
                yield about(file, source, f": {error.message}", error)
            except UsageError:
                continue  # no engine at all: the command says so


def _is_set(setting: Setting, file: SettingsFile, profile: str) -> bool:
    """Whether it is set by its own key."""
    return find(Key(setting.key.name), file, profile) is not None


def _read(setting: Setting, file: SettingsFile, source: Source) -> tuple[Any, PhiError | None]:
    try:
        return setting.read(source.value, from_file=not source.variable), None
    except UsageError as error:
        return source.value, about(file, source, f" {error.message}", error)


def _from(source: Source | None) -> From:
    if source is None:
        return "default"
    return "variable" if source.variable else "profile" if source.key[0] == PROFILE else "file"
