"""The file with the settings: found, read, and its problems put into words that name the line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from phicli.errors import NotFoundError, UsageError, reason_of
from phicli.paths import NO_HOME_HINT, NOWHERE, read_small, settings_file
from phicli.settings.key import KeyPath

PROFILE: Final = "profile"
"""The table that holds the profiles."""
_EDIT: Final = "phi config edit"
_LONGEST: Final = 60
_AT_LINE: Final = r"\s*\((?:at line (\d+), column \d+|at end of document)\)"


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """What the file holds; without a file the ``text`` is None and ``tables`` is empty."""

    path: Path
    text: str | None = None
    tables: Mapping[str, Any] = field(default_factory=dict)

    def value(self, key: KeyPath) -> Any:
        """The value of ``key``, None where it is not in the file."""
        here: Any = self.tables
        for part in key:
            if not isinstance(here, Mapping) or part not in here:
                return None
            here = here[part]
        return here

    def line(self, key: KeyPath) -> int:
        """The line of ``key``, or of the closest table around it."""
        from phicli.settings.lines import key_lines, line_of

        return line_of(key_lines(self.text or ""), key)

    def place(self, key: KeyPath) -> str:
        """Where ``key`` is, for people: ``/home/me/.config/phicli/config.toml, line 3``."""
        return f"{self.path}, line {self.line(key)}"

    def profiles(self) -> tuple[str, ...]:
        """Names of the profiles in the order of the file."""
        profiles = self.tables.get(PROFILE)
        return tuple(profiles) if isinstance(profiles, Mapping) else ()

    def require_profile(self, name: str) -> None:
        """Check that there is a profile called ``name``, when one is given.

        Raises:
            NotFoundError: there is none; the hint lists them.
            UsageError: it is not a table.
        """
        if not name:
            return
        from phicli.settings.lines import written

        if name not in self.profiles():
            known = ", ".join(self.profiles())
            add = f"add one: phi config set {written((PROFILE, name, 'chat', 'max_tokens'))} 256"
            raise NotFoundError(f"unknown profile: {name!r}", f"the profiles are {known}" if known else add)
        if not isinstance(self.value((PROFILE, name)), Mapping):
            raise self.refuse((PROFILE, name), "is not a table", f"write it as [{written((PROFILE, name))}]")

    def refuse(self, key: KeyPath, what: str, remedy: str = "") -> UsageError:
        """The error that ``key`` is wrong: ``what`` completes the sentence that begins with the key."""
        from phicli.settings.lines import written

        name = written(key)
        then = f"fix it: {_EDIT}; or remove it: phi config unset {name}"
        return UsageError(f"{self.place(key)}: {name} {what}", hint(remedy, then))


def read_settings(path: Path | None = None) -> SettingsFile:
    """The settings at ``path`` (:func:`settings_file` when None); no file is the same as an empty one.

    Raises:
        UsageError: it cannot be read, or it is not TOML; says where.
    """
    path = path or settings_file()
    try:
        data = read_small(path)
    except (FileNotFoundError, NotADirectoryError):
        return SettingsFile(path)
    except OSError as error:
        raise UsageError(
            f"the settings in {path} cannot be read: {reason_of(error)}", "replace it with a text file, or move it"
        ) from None
    return parse(path, decode(path, data))


def make_folder(path: Path) -> None:
    """Make the folder of the settings file at ``path``.

    Raises:
        UsageError: there is no home folder.
        OSError: it cannot be made.
    """
    if path.parent == NOWHERE:
        raise UsageError("no home folder was found for the settings", NO_HOME_HINT)
    path.parent.mkdir(parents=True, exist_ok=True)


def decode(path: Path, data: bytes) -> str:
    """The text of ``data``, which is the content of ``path``.

    Raises:
        UsageError: it is not UTF-8; says in which line.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}, line {line}: this is not UTF-8 text", f"fix it: {_EDIT}") from None


def parse(path: Path, text: str) -> SettingsFile:
    """The settings that ``text``, the content of ``path``, holds.

    Raises:
        UsageError: it is not TOML; says in which line.
    """
    import tomllib

    try:
        return SettingsFile(path, text, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        found = re.search(_AT_LINE, said)
        line = int(found[1]) if found and found[1] else text.rstrip().count("\n") + 1
        reason = re.sub(_AT_LINE, "", said)
        raise UsageError(f"{path}, line {line}: {reason[:1].lower()}{reason[1:]}", f"fix it: {_EDIT}") from None
    except (RecursionError, ValueError) as error:  # brackets without an end, numbers with thousands of digits
        raise UsageError(f"{path} cannot be read: {reason_of(error)}", f"fix it: {_EDIT}") from None


def did_you_mean(typed: str, known: Iterable[str], table: str = "") -> str:
    """``did you mean chat.max_tokens?``, empty where nothing is close; ``table`` stands before the known name."""
    from difflib import get_close_matches

    names = list(known)
    close = get_close_matches(typed.replace("-", "_").lower(), names, n=1, cutoff=0.6)
    return f"did you mean {table}{close[0]}?" if close else ""


def hint(remedy: str, then: str) -> str:
    """Both in one line; ``remedy`` may be empty."""
    return f"{remedy}{' ' if remedy.endswith(('?', '.')) else '; '}{then}" if remedy else then


def toml_value(value: Any) -> str:
    """``value`` as TOML has it, for people: on one line, and shortened where it is long."""
    from phicli.settings.lines import toml

    if isinstance(value, Mapping):
        return "{…}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, int) and value.bit_length() > _LONGEST:
        return hex(value)[:_LONGEST] + "…"
    text = toml(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
