"""An adapter in the weights of a model: every number, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from phicli.adapters import merging
from phicli.adapters.merging import Merge, merge
from phicli.errors import DoesNotFitError, IntegrityError, PhiError, UsageError, WrongBaseError
from phicli.gguf_file.adapter import read_adapter
from phicli.gguf_file.header import read_header
from tests.support.files import TINY_PHI
from tests.support.gguf_kinds import split_tiny_phi
from tests.support.lora import Adapted, tensors, write_gguf
from tests.support.requantised import requantise

FOUND = tensors()
SAID = list[tuple[int, int]]


def what(folder: Path, model: Path = TINY_PHI, scale: float = 1.0, found: Any = None) -> Merge:
    adapter = write_gguf(folder / "adapter.gguf", FOUND if found is None else found)
    return Merge(read_header(model), "tiny-phi", read_adapter(adapter), "mine", scale)


def quiet(done: int, total: int) -> None:
    pass


def values(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    return {one.name: gguf.dequantize(one.data, one.tensor_type) for one in gguf.GGUFReader(path).tensors}


@pytest.mark.parametrize("rows_bytes", [1, 100_000])
def test_every_weight_is_the_sum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_bytes: int) -> None:
    monkeypatch.setattr(merging, "_ROWS_BYTES", rows_bytes)
    said: SAID = []
    done = merge(what(tmp_path, scale=0.5), tmp_path / "out.gguf", on_bytes=lambda *pair: said.append(pair))
    expected = Adapted().add(FOUND, 0.5 * 2)._tensors
    found = values(tmp_path / "out.gguf")
    assert found.keys() == expected.keys()
    for name, weights in found.items():
        allowed = np.maximum(1e-3 * np.abs(expected[name]), 1e-6)  # that of approx, which looks at one at a time
        assert weights.shape == allowed.shape
        assert (np.abs(weights - expected[name]) <= allowed).all(), name
    assert (done.tensors, done.size_bytes) == (16, TINY_PHI.stat().st_size)
    assert said[-1] == (done.size_bytes, done.size_bytes)
    assert [pair[0] for pair in said] == sorted(pair[0] for pair in said)


def test_what_the_adapter_does_not_change_stays_byte_for_byte(tmp_path: Path) -> None:
    only = {name: values for name, values in FOUND.items() if "layers.2.mlp.down_proj" in name}
    merge(what(tmp_path, found=only), tmp_path / "out.gguf", on_bytes=quiet)
    before, after = TINY_PHI.read_bytes(), (tmp_path / "out.gguf").read_bytes()
    tensor = read_header(TINY_PHI).tensor("blk.2.ffn_down.weight")
    assert tensor is not None
    start = read_header(TINY_PHI).data_offset + tensor.offset
    assert before[:start] == after[:start]
    assert before[start + tensor.size_bytes :] == after[start + tensor.size_bytes :]
    assert before != after


@pytest.mark.parametrize(("kind", "tolerance"), [("F32", 1e-6), ("BF16", 5e-3), ("Q8_0", 1e-2)])
def test_other_types(tmp_path: Path, kind: str, tolerance: float) -> None:
    model = requantise(TINY_PHI, tmp_path / "model.gguf", kind)
    merge(what(tmp_path, model), tmp_path / "out.gguf", on_bytes=quiet)
    expected, found = Adapted(path=model).add(FOUND, 2.0)._tensors, values(tmp_path / "out.gguf")
    for name in ("blk.0.attn_qkv.weight", "blk.3.ffn_down.weight"):
        size = np.abs(expected[name]).max()
        assert np.abs(found[name] - expected[name]).max() <= tolerance * size
    types = {one.name: one.tensor_type for one in gguf.GGUFReader(tmp_path / "out.gguf").tensors}
    assert types == {one.name: one.tensor_type for one in gguf.GGUFReader(model).tensors}


def test_coarser_types_are_refused_with_what_to_do(tmp_path: Path) -> None:
    model = requantise(TINY_PHI, tmp_path / "model.gguf", "Q4_0")
    with pytest.raises(UsageError, match="are Q4_0 in tiny-phi") as caught:
        merge(what(tmp_path, model), tmp_path / "out.gguf", on_bytes=quiet)
    assert "phi chat MODEL --adapter mine" in caught.value.hint
    assert not (tmp_path / "out.gguf").exists()


def test_a_model_in_several_files_becomes_one(tmp_path: Path) -> None:
    parts = split_tiny_phi(tmp_path / "parts")
    assert len(parts) > 2
    said: SAID = []
    done = merge(what(tmp_path, parts[0]), tmp_path / "out.gguf", on_bytes=lambda *one: said.append(one))
    merge(what(tmp_path), tmp_path / "whole.gguf", on_bytes=quiet)
    found, expected = values(tmp_path / "out.gguf"), values(tmp_path / "whole.gguf")
    assert found.keys() == expected.keys()
    assert all((found[name] == expected[name]).all() for name in expected)
    assert done.size_bytes == (tmp_path / "out.gguf").stat().st_size
    assert said[-1][0] <= done.size_bytes == said[-1][1]
    keys = [
        {key: field.contents() for key, field in gguf.GGUFReader(tmp_path / name).fields.items() if key[:5] != "GGUF."}
        for name in ("out.gguf", "whole.gguf")
    ]
    assert keys[0] == keys[1]
    header = read_header(tmp_path / "out.gguf")
    assert (header.split_count, header.quant) == (1, read_header(TINY_PHI).quant)


def test_parts_are_not_written_over_and_a_missing_one_is_named(tmp_path: Path) -> None:
    parts = split_tiny_phi(tmp_path / "parts")
    mine = what(tmp_path, parts[0])
    with pytest.raises(UsageError, match="is the name of a part of a model"):
        merge(mine, parts[1], force=True, on_bytes=quiet)
    parts[1].unlink()
    with pytest.raises(PhiError, match=parts[1].name):
        merge(mine, tmp_path / "out.gguf", on_bytes=quiet)
    assert not (tmp_path / "out.gguf").exists()


def test_another_base(tmp_path: Path) -> None:
    wide = tensors(modules={"mlp.down_proj": ("ffn_down", 512, 128)})
    with pytest.raises(WrongBaseError, match=r"blk\.0\.ffn_down\.weight is 512 x 128 in the adapter, but 384 x 128"):
        merge(what(tmp_path, found=wide), tmp_path / "out.gguf", on_bytes=quiet)


def test_targets(tmp_path: Path) -> None:
    mine = what(tmp_path)
    with pytest.raises(UsageError, match=r"does not end in \.gguf"):
        merge(mine, tmp_path / "out.bin", on_bytes=quiet)
    (tmp_path / "there.gguf").write_bytes(b"x")
    with pytest.raises(UsageError, match="exists already"):
        merge(mine, tmp_path / "there.gguf", on_bytes=quiet)
    with pytest.raises(UsageError, match="one of the files that are merged"):
        merge(mine, mine.adapter.path, force=True, on_bytes=quiet)
    with pytest.raises(FileNotFoundError):
        merge(mine, tmp_path / "none" / "out.gguf", on_bytes=quiet)
    assert (tmp_path / "there.gguf").read_bytes() == b"x"
    merge(mine, tmp_path / "there.gguf", force=True, on_bytes=quiet)
    assert read_header(tmp_path / "there.gguf").name == "tiny-phi"


def test_a_disk_that_is_too_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "free_bytes", lambda folder: 1000)
    with pytest.raises(DoesNotFitError, match="only"):
        merge(what(tmp_path), tmp_path / "out.gguf", on_bytes=quiet)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_nothing_half_written_stays(tmp_path: Path, error: BaseException) -> None:
    def stop(done: int, total: int) -> None:
        if done > total // 2:
            raise error

    mine = what(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises((KeyboardInterrupt, OSError)):
        merge(mine, tmp_path / "out.gguf", on_bytes=stop)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(("size", "words"), [(3000, "F16 cannot hold"), (1e25, "not numbers")])
def test_weights_that_are_too_large(tmp_path: Path, size: float, words: str) -> None:
    huge = {name: values * np.float32(size) for name, values in FOUND.items()}
    with pytest.raises(IntegrityError, match=words):
        merge(what(tmp_path, found=huge), tmp_path / "out.gguf", on_bytes=quiet)


def test_a_model_that_changes_meanwhile(tmp_path: Path) -> None:
    model = tmp_path / "model.gguf"
    shutil.copy(TINY_PHI, model)

    def touch(done: int, total: int) -> None:
        model.touch()

    with pytest.raises(IntegrityError, match="changed while it was read"):
        merge(what(tmp_path, model), tmp_path / "out.gguf", on_bytes=touch)
    assert not (tmp_path / "out.gguf").exists()
