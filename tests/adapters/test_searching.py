"""Adapters further down in a folder, as a training run leaves them."""

from __future__ import annotations

from pathlib import Path

import pytest

from phicli.adapters.searching import adapter_below
from phicli.errors import NotFoundError, UsageError
from tests.support.lora import write_peft

ADD = "phi adapters add"


@pytest.mark.parametrize("where", ["style", "a/b/c"])
def test_the_only_one_is_meant(tmp_path: Path, where: str) -> None:
    folder = write_peft(tmp_path / where)
    write_peft(tmp_path / ".trash" / "old")
    assert adapter_below(tmp_path, ADD) == folder


def test_of_several_one_has_to_be_named_what_is_finished_first(tmp_path: Path) -> None:
    for name in ("checkpoint-20", "checkpoint-100"):
        write_peft(tmp_path / name)
    with pytest.raises(UsageError, match="has 2 adapters in its folders: checkpoint-100, checkpoint-20") as caught:
        adapter_below(tmp_path, ADD)
    assert caught.value.hint.endswith(f"{ADD} {tmp_path}/checkpoint-100")
    write_peft(tmp_path / "my adapter")
    with pytest.raises(UsageError, match="has 3 adapters") as caught:
        adapter_below(tmp_path, ADD)
    assert caught.value.hint.endswith(f"{ADD} '{tmp_path}/my adapter'")


def test_too_deep_or_not_there(tmp_path: Path) -> None:
    write_peft(tmp_path / "a" / "b" / "c" / "d")
    with pytest.raises(NotFoundError, match=r"without an adapter: adapter_config\.json is missing"):
        adapter_below(tmp_path, ADD)


def test_what_the_folder_is_instead(tmp_path: Path) -> None:
    (tmp_path / "config.json").touch()
    (tmp_path / "model.safetensors.index.json").touch()
    with pytest.raises(NotFoundError, match="a model as transformers saves it, not an adapter"):
        adapter_below(tmp_path, ADD)
    lost = write_peft(tmp_path / "x" / "lost")
    (lost / "adapter_config.json").unlink()
    with pytest.raises(NotFoundError, match=r"has no adapter_config\.json"):
        adapter_below(lost, ADD)
