"""Weights that are not whole are seen before a training begins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phicli.errors import IntegrityError, NotAModelError
from phicli.finetune.base_weights import check_weights

SHAPE = (6, 4)


def write(path: Path, *shape: int, name: str = "model.embed_tokens.weight") -> Path:
    size = 2
    for one in shape:
        size *= one
    header = json.dumps({name: {"dtype": "BF16", "shape": shape, "data_offsets": [0, size]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(size))
    return path


def test_whole_weights_pass(tmp_path: Path) -> None:
    write(tmp_path / "model-00001-of-00002.safetensors", 6, 4)
    write(tmp_path / "model-00002-of-00002.safetensors", 4, name="model.norm.weight")
    check_weights(tmp_path, None, SHAPE)
    check_weights(tmp_path, {"weight_map": {"a": "model-00002-of-00002.safetensors"}}, SHAPE)
    for odd in ([], {}, {"weight_map": 3}):
        check_weights(tmp_path, odd, SHAPE)


@pytest.mark.parametrize("left", [0, 5, 40, -1])
def test_a_truncated_file_is_refused(tmp_path: Path, left: int) -> None:
    path = write(tmp_path / "model.safetensors", 6, 4)
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(IntegrityError, match=r"model\.safetensors"):
        check_weights(tmp_path, None, SHAPE)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "model-00001-of-00003.safetensors", 6, 4)
    files = {str(number): f"model-0000{number}-of-00003.safetensors" for number in (1, 2, 3)}
    with pytest.raises(NotAModelError, match=r"lacks a file of its weights: model-00002-of-00003.* and 1 more"):
        check_weights(tmp_path, {"weight_map": files}, SHAPE)


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "model.safetensors", 6, 8)
    with pytest.raises(NotAModelError, match="weight is 6 x 8, not 6 x 4"):
        check_weights(tmp_path, None, SHAPE)
