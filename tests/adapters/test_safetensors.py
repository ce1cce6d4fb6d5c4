"""Files of safetensors, whole and damaged."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phicli.adapters.peft import read_peft
from phicli.adapters.safetensors import read_safetensors
from phicli.errors import IntegrityError
from tests.support.lora import tensors, write_peft, write_safetensors

LAYER = "base_model.model.model.layers.0"


def broken(path: Path, header: bytes, data: bytes = b"", length: int | None = None) -> None:
    path.write_bytes((len(header) if length is None else length).to_bytes(8, "little") + header + data)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (b"{{", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"a": 1}', "incomplete"),
        (b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0]}}', "incomplete"),
        (b'{"a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}}', "make no sense"),
        (b'{"a": {"dtype": "F32", "shape": [2.0], "data_offsets": [0, 8]}}', "make no sense"),
        (b'{"a": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}}', "the type F64"),
        (b'{"a": {"dtype": ["F32"], "shape": [2], "data_offsets": [0, 8]}}', "the type"),
        (b'{"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}', "truncated"),
        (b'{"a": {"dtype": "F32", "shape": [999999999999], "data_offsets": [0, 3999999999996]}}', "truncated"),
    ],
)
def test_a_damaged_safetensors_file(tmp_path: Path, header: bytes, words: str) -> None:
    folder = write_peft(tmp_path)
    broken(folder / "adapter_model.safetensors", header, bytes(8))
    with pytest.raises(IntegrityError) as caught:
        read_peft(folder)
    assert words in caught.value.message


@pytest.mark.parametrize("length", [0, 1, 1 << 62])
def test_a_header_of_impossible_length(tmp_path: Path, length: int) -> None:
    folder = write_peft(tmp_path)
    broken(folder / "adapter_model.safetensors", b"{}", bytes(8), length)
    with pytest.raises(IntegrityError, match="not a safetensors file"):
        read_peft(folder)


@given(st.binary(max_size=200), st.integers(0, 300))
def test_whatever_a_file_holds_is_read_or_refused(content: bytes, length: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.safetensors"
        path.write_bytes(length.to_bytes(8, "little") + content)
        with contextlib.suppress(IntegrityError):
            read_safetensors(path)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda one: st.lists(one) | st.dictionaries(st.text(), one),
    )
)
def test_whatever_an_entry_holds_is_read_or_refused(entry: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.safetensors"
        broken(path, json.dumps({"a": {"dtype": "F32", "shape": entry, "data_offsets": entry}}).encode(), bytes(64))
        with contextlib.suppress(IntegrityError):
            read_safetensors(path)


def test_a_file_that_ends_early(tmp_path: Path) -> None:
    folder = write_peft(tmp_path)
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(IntegrityError, match="truncated"):
        read_peft(folder)


def test_metadata_of_the_file_is_not_a_tensor(tmp_path: Path) -> None:
    found = tensors()
    write_safetensors(tmp_path / "x.safetensors", found)
    head = (tmp_path / "x.safetensors").read_bytes()
    length = int.from_bytes(head[:8], "little")
    assert "__metadata__" in json.loads(head[8 : 8 + length])
    assert len(read_peft(write_peft(tmp_path / "a", found)).file.tensors) == len(found)
