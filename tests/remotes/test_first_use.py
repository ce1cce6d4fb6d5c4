"""Where texts go is said once."""

from __future__ import annotations

from pathlib import Path

import pytest

from phicli.remotes.first_use import notice
from phicli.remotes.types import Remote


def test_it_is_said_once_for_each_address() -> None:
    lab = Remote("lab", "https://lab.example/v1", "vllm")
    assert notice(lab) == "lab is another machine: prompts, files and answers go to https://lab.example/v1"
    assert notice(lab) is None
    assert notice(Remote("same", "https://lab.example/v1", "vllm")) is None
    assert notice(Remote("lab", "https://other.example/v1", "vllm")) is not None


def test_a_connection_that_is_not_encrypted_is_said_too() -> None:
    words = notice(Remote("lab", "http://10.0.0.7:8000/v1", "vllm"))
    assert words is not None
    assert words.endswith("http://10.0.0.7:8000/v1, unencrypted: anyone on the network can read them")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "me.localhost"])
def test_this_machine_is_nothing_to_speak_of(host: str) -> None:
    assert notice(Remote("lab", f"http://{host}:8000/v1", "vllm")) is None


@pytest.mark.parametrize("content", [b"", b"nonsense", b"{}", b"[1, null]", b"[" * 100_000, b"\xff"])
def test_a_damaged_memory_is_as_none(home: Path, content: bytes) -> None:
    (home / "state").mkdir(parents=True)
    (home / "state" / "remotes-used.json").write_bytes(content)
    lab = Remote("lab", "https://lab.example/v1", "vllm")
    assert notice(lab) is not None
    assert notice(lab) is None


def test_where_nothing_can_be_remembered_it_is_said_each_time(home: Path) -> None:
    home.mkdir()
    (home / "state").write_text("in the way")
    lab = Remote("lab", "https://lab.example/v1", "vllm")
    assert notice(lab) is not None
    assert notice(lab) is not None
