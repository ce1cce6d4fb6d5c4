"""Files that are made from the code are what the code makes, and the completions complete."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from phicli.commands import ALIASES, GROUPS, SUMMARIES
from phicli.commands.group import function_of
from tests.support.running import Phi

ROOT = Path(__file__).parents[1]


@pytest.mark.process
def test_completions_and_help_pages_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / ".ci" / "generate.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def complete(phi: Phi, line: str) -> list[str]:
    words = line.split(" ")
    run = phi(_PHI_COMPLETE="complete_bash", COMP_WORDS=" ".join(words), COMP_CWORD=str(len(words) - 1))
    return run.out.split()


def test_commands_complete(phi: Phi) -> None:
    assert complete(phi, "phi ch") == ["chat"]


def test_model_names_complete(phi: Phi) -> None:
    names = complete(phi, "phi chat phi-4-m")
    assert "phi-4-mini" in names
    assert all(name.startswith("phi-4-m") for name in names)


def test_options_complete(phi: Phi) -> None:
    assert "--temperature" in complete(phi, "phi chat --te")


def test_the_table_of_commands_says_what_the_commands_say() -> None:
    for within, summaries in [("", SUMMARIES), *GROUPS.items()]:
        for name, summary in summaries.items():
            if within or name not in GROUPS:
                assert str(function_of(within, name).__doc__).splitlines()[0] == summary


def test_every_alias_is_a_command(phi: Phi) -> None:
    assert set(ALIASES.values()) <= set(SUMMARIES)
    assert phi("run", "--help").out.splitlines()[2] == phi("chat", "--help").out.splitlines()[2]
