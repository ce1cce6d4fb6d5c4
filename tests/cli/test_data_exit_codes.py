"""Every command that reads training data ends with the same exit code for the same data."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from phicli.errors import PhiError
from phicli.finetune import preparing
from tests.support.running import Phi
from tests.training_data.examples import GOOD, line, numbered

TWELVE = b"".join(numbered(12))
WRONG_ROLE = line({"messages": [{"role": "user", "content": "a"}, {"role": "assistent", "content": "b"}]})
SPECIAL = line({"messages": [{"role": "user", "content": "<|end|>"}, {"role": "assistant", "content": "b"}]})
TWICE = b'{"messages": [], ' + line(GOOD)[1:]
OWN = line({**GOOD, "score": 0})

CASES = [
    ("good data", TWELVE, 0, 0, 0),
    ("a byte order mark and Windows line ends", b"\xef\xbb\xbf" + TWELVE.replace(b"\n", b"\r\n"), 0, 0, 0),
    ("a line that is not JSON", TWELVE + b"{]\n", 9, 9, 9),
    ("text behind an example", TWELVE + line(GOOD)[:-1] + b" x\n", 9, 9, 9),
    ("a line that is no object", TWELVE + b"5\n", 9, 9, 9),
    ("a line in Latin-1", TWELVE + line(GOOD).replace(b"France", b"Fran\xe7a"), 9, 9, 9),
    ("UTF-16", TWELVE.decode().encode("utf-16"), 9, 9, 9),
    ("UTF-16 without a mark", TWELVE.decode().encode("utf-16-le"), 9, 9, 9),
    ("a compressed file", gzip.compress(TWELVE), 9, 9, 9),
    ("an empty file", b"", 9, 9, 9),
    ("empty lines only", b"\n\r\n  \n", 9, 9, 9),
    ("lists in lists", TWELVE + OWN.replace(b"0}", b"[" * 5_000 + b"]" * 5_000 + b"}"), 9, 9, 9),
    ("a number that is too large", TWELVE + OWN.replace(b"0}", b"1e999}"), 9, 9, 9),
    ("a number with thousands of digits", TWELVE + OWN.replace(b"0}", b"9" * 5_000 + b"}"), 9, 9, 9),
    ("a role that does not exist", TWELVE + WRONG_ROLE, 9, 0, 9),
    ("a key twice", TWELVE + TWICE, 9, 0, 9),
    ("half a character", TWELVE + line(GOOD).replace(b"France", rb"\ud800"), 9, 0, 9),
    ("special tokens", TWELVE + SPECIAL, 9, 0, 0),
    ("the same example twice", TWELVE + numbered(1)[0], 9, 0, 0),
]
"""What it is, the data, and the exit codes: of commands that require good data, of a split and of a conversion.

A split takes every line as it is, and a conversion what has the form of an example.
"""


def code_of_training(path: Path) -> int:
    """As ``phi finetune`` ends before it needs its extra."""
    wish: Any = SimpleNamespace(train=str(path), validation=None)
    try:
        preparing._check(wish, lambda _: None)
    except PhiError as error:
        return error.exit_code if error.hint else -1
    return 0


def codes(phi: Phi, folder: Path, path: Path) -> dict[str, int]:
    split = ("--training-output", str(folder / "t"), "--validation-output", str(folder / "v"))
    commands = {
        "check": ("data", "check", str(path)),
        "validation": ("data", "check", str(folder / "other.jsonl"), "--validation", str(path)),
        "eval": ("eval", "tiny-phi", "--set", str(path), "--limit", "1", "--max-tokens", "1"),
        "plan": ("finetune", "--plan", "azure", "phi-4", str(path), "--out", str(folder / "plan")),
        "split": ("data", "split", str(path), *split),
        "convert": ("data", "convert", str(path), "-o", str(folder / "new.jsonl")),
    }
    (folder / "other.jsonl").write_bytes(b"".join(numbered(10, 500)))
    runs = {name: phi(*words) for name, words in commands.items()}
    for name, run in runs.items():
        assert run.code == 0 or ("error: " in run.err and "→" in run.err), (name, run.err)
    return {name: run.code for name, run in runs.items()} | {"finetune": code_of_training(path)}


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_the_same_data_has_the_same_exit_code(phi: Phi, tmp_path: Path, case: tuple[str, bytes, int, int, int]) -> None:
    _, data, checked, split, converted = case
    path = tmp_path / "train.jsonl"
    path.write_bytes(data)
    requires = dict.fromkeys(("check", "validation", "eval", "plan", "finetune"), checked)
    assert codes(phi, tmp_path, path) == {**requires, "split": split, "convert": converted}


def test_files_that_are_not_there_or_are_folders(phi: Phi, tmp_path: Path) -> None:
    assert set(codes(phi, tmp_path, tmp_path / "nothing.jsonl").values()) == {3}
    (tmp_path / "folder").mkdir()
    assert set(codes(phi, tmp_path, tmp_path / "folder").values()) == {2}


def test_json_has_the_code_of_a_check_that_failed(phi: Phi, tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(TWELVE + b"{]\n")
    for words in (["data", "check", str(path)], ["data", "split", str(path)], ["eval", "tiny-phi", "--set", str(path)]):
        error = json.loads(phi(*words, "--json").out)["error"]
        assert (error["code"], "13" in error["message"] or words[1] == "check") == ("check_failed", True), error
