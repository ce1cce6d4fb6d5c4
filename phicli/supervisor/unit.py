"""Writes a unit of systemd that runs the server of this user."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from phicli.supervisor.folders import absolute_folders

_PASSED_ON: Final = ("PHI_PROFILE", "HF_HUB_OFFLINE")

_UNIT: Final = """\
[Unit]
Description=phi serve: Phi models for this user

[Service]
Type=exec
ExecStart={command}
{environment}Restart=on-failure
RestartSec=5
# Wrong options (2) and models that are not installed (3) are the same the next time.
RestartPreventExitStatus=2 3
# When the system kills an engine for its memory, the server goes on.
OOMPolicy=continue
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native

[Install]
WantedBy=default.target
"""


def unit(words: Sequence[str], environ: Mapping[str, str] = os.environ) -> str:
    """The text of a user unit that runs ``phi WORDS`` with the folders that ``environ`` names."""
    variables = absolute_folders(environ) | {name: environ[name] for name in _PASSED_ON if environ.get(name)}
    lines = [f"Environment={_without_variables(f'{name}={value}')}\n" for name, value in variables.items()]
    program, *behind = [*this_phi(), *words]
    command = " ".join([_without_variables(program), *map(quoted, behind)])
    return _UNIT.format(command=command, environment="".join(lines))


def this_phi() -> list[str]:
    """The words that run this very ``phi`` from any folder."""
    program = Path(sys.argv[0]).absolute()
    if program.name in {"phi", "phi.exe"} and os.access(program, os.X_OK) and program.is_file():
        return [str(program)]
    return [sys.executable, "-P", "-m", "phicli"]


def absolute(words: Sequence[str], paths: Iterable[str]) -> list[str]:
    """``words``, of which those in ``paths`` that lead to a file here lead to it from every folder."""
    files = {path: _from_root(Path(path)) for path in paths if path and Path(path).exists()}
    return [_absolute(word, files) for word in words]


def _from_root(path: Path) -> str:
    """``path`` without ``..``; a link stays the link that was named."""
    return str(path.parent.resolve() / path.name) if ".." in path.parts else str(path.absolute())


def quoted(word: str) -> str:
    """A word as systemd reads it: specifiers and variables are plain text."""
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$").replace("\n", "\\n")
    return plain if plain == word and word and not any(letter in word for letter in " \t';") else f'"{plain}"'


def _without_variables(word: str) -> str:
    """The same where systemd replaces no variables: in the first word of a command, and in the environment."""
    return quoted(word).replace("$$", "$")


def _absolute(word: str, files: Mapping[str, str]) -> str:
    option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    return f"{option}{equals}{files.get(value, value)}"
