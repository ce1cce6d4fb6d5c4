"""A training may take hours: whether its adapter can get its name is asked before."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from phicli.adapters.adding import add, check_free
from phicli.errors import UsageError
from tests.support.lora import write_peft


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize("name", ["a b", "a+b", "a:b", "", "x.gguf"])
def test_what_can_be_no_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is not a valid name"):
        check_free(name, tmp_path / "run" / "adapter")


def test_a_name_of_another_adapter_is_refused_and_its_own_is_not(tmp_path: Path) -> None:
    folder = write_peft(tmp_path / "run" / "adapter")
    check_free("facts", folder)
    add(folder, name="facts")
    check_free("facts", tmp_path / "elsewhere" / ".." / "run" / "adapter")
    with pytest.raises(UsageError, match="the name facts is already used for "):
        check_free("facts", tmp_path / "other" / "adapter")


def test_what_is_checked_before_is_what_counts_after(tmp_path: Path) -> None:
    first, second = write_peft(tmp_path / "one" / "adapter"), write_peft(tmp_path / "two" / "adapter")
    add(first, name="facts")
    with pytest.raises(UsageError) as before:
        check_free("facts", second)
    with pytest.raises(UsageError) as after:
        add(second, name="facts")
    assert str(before.value) == str(after.value)
    shutil.rmtree(tmp_path / "home")
    check_free("facts", second)
