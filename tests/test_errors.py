"""Hints name the command that was typed; errors that several parts make have the same words."""

from __future__ import annotations

import ast
import errno
from pathlib import Path

import pytest

from phicli.errors import THIS_COMMAND, TYPED_COMMAND, NotFoundError, disk_full, is_disk_full

PACKAGE = Path(__file__).parents[1] / "phicli"
SHARED = ("catalog", "engine", "gguf_file")
"""Packages that several commands use, and whose hints therefore leave the command's name open."""


@pytest.mark.parametrize(
    ("typed", "runs", "takes"),
    [
        ("chat", "chat", "chat"),
        ("bench", "bench", "bench"),
        ("eval", "eval", "eval"),
        ("autotune", "autotune", "autotune"),
        ("show", "chat", "show"),
        ("serve", "chat", "serve"),
        ("config set model", "chat", "config set model"),
        ("rm", "chat", "chat"),
        ("cache list", "chat", "chat"),
    ],
)
def test_a_hint_names_the_command_that_was_typed(typed: str, runs: str, takes: str) -> None:
    """Where that runs a model, or takes the name of one."""
    assert NotFoundError("x", f"{THIS_COMMAND} tiny-phi").hint_for(typed) == f"phi {runs} tiny-phi"
    assert NotFoundError("x", f"{TYPED_COMMAND} tiny-phi").hint_for(typed) == f"phi {takes} tiny-phi"


def test_no_shared_layer_proposes_one_command_by_name() -> None:
    """Only texts count, not docstrings."""
    proposals = []
    for part in SHARED:
        for path in sorted((PACKAGE / part).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
            texts = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in docs]
            proposals += [f"{path}: {n.value}" for n in texts if isinstance(n.value, str) and "phi chat " in n.value]
    assert not proposals


def test_a_full_disk_and_a_full_quota_are_the_same_to_people() -> None:
    assert is_disk_full(OSError(errno.ENOSPC, "No space left on device"))
    assert is_disk_full(OSError(getattr(errno, "EDQUOT", errno.ENOSPC), "Disk quota exceeded"))
    assert not is_disk_full(OSError(errno.EACCES, "Permission denied"))
    assert not is_disk_full(OSError("no number"))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (disk_full(), "the disk is full"),
        (disk_full("/cache"), "the disk of /cache is full"),
        (disk_full(after=": standard output"), "the disk is full: standard output"),
        (
            disk_full("a.svg", before="the plot was not written: "),
            "the plot was not written: the disk of a.svg is full",
        ),
    ],
)
def test_words_for_a_full_disk(error: Exception, message: str) -> None:
    assert str(error) == message
    assert disk_full().hint == "free some space and run the command again"
    assert disk_full().exit_code == 5
