from __future__ import annotations

import os
import random
import struct
import time
import tracemalloc
from pathlib import Path

import gguf_bytes as make
import pytest

from phicli.errors import TYPED_COMMAND, IntegrityError, NotFoundError, PhiError, UsageError
from phicli.gguf_file.header import read_header


def error_of(path: Path) -> PhiError:
    with pytest.raises(PhiError) as caught:
        read_header(path)
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"GGU", "truncated"),
        (b"GGUF\x03\0\0\0", "truncated"),
        (b"hello\n", "text file"),
        ("h\u00e4\n".encode() * 512, "text file"),
        (b"<!DOCTYPE html><html>", "HTML page"),
        (b"\n  <html>", "HTML page"),
        (b'{"error": "gated"}', "JSON"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS pointer"),
        (b"PK\x03\x04rest", "zip"),
        (struct.pack("<Q", 30) + b'{"a":{"dtype":"F32"}}' + bytes(99), "safetensors"),
        (b"\x80\x02}q\0", "pickle"),
        (bytes(4096), "zeros"),
        (b"\xfe\x00\x01\x02" * 20, "binary"),
        (b"GGUF" + struct.pack(">I", 3) + bytes(40), "big-endian"),
        (b"GGUF" + struct.pack("<I", 1) + bytes(40), "version 1"),
        (b"GGUF" + struct.pack("<I", 77) + bytes(40), "version 77"),
    ],
)
def test_what_is_not_a_gguf_file_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(content)
    error = error_of(path)
    assert isinstance(error, IntegrityError)
    assert words in error.message
    of_a_download = words in {
        "empty",
        "truncated",
        "text file",
        "HTML page",
        "JSON",
        "Git LFS pointer",
        "zeros",
        "binary",
    }
    assert ("download the file again" in error.hint) == of_a_download


def test_a_file_cut_in_its_tensors_says_both_sizes(tmp_path: Path) -> None:
    whole, path = make.small_file(), tmp_path / "a.gguf"
    path.write_bytes(whole[:-100])
    error = error_of(path)
    assert isinstance(error, IntegrityError)
    assert "truncated" in error.message
    assert f"{len(whole) - 100:,} bytes" in error.message
    assert f"announces {len(whole):,}" in error.message
    assert error.data == {"file_size_bytes": len(whole) - 100, "promised_bytes": len(whole)}


def test_missing_files(tmp_path: Path) -> None:
    (tmp_path / "phi-4-mini-Q4_K_M.gguf").write_bytes(b"x")
    error = error_of(tmp_path / "Phi-4-mini-q4_k_m.gguf")
    assert isinstance(error, NotFoundError)
    assert "phi-4-mini-Q4_K_M.gguf" in error.hint
    assert "folder" in error_of(tmp_path / "nowhere" / "a.gguf").message
    link = tmp_path / "link.gguf"
    link.symlink_to(tmp_path / "gone.gguf")
    assert "link to" in error_of(link).message
    for path in (tmp_path / ("x" * 300), tmp_path / "phi-4-mini-Q4_K_M.gguf" / "a", tmp_path / "a\0b"):
        assert isinstance(error_of(path), NotFoundError)


def test_directories_list_their_files(tmp_path: Path) -> None:
    assert isinstance(error_of(tmp_path), UsageError)
    for name in ("b.gguf", "a.GGUF", "c.txt"):
        (tmp_path / name).write_bytes(b"x")
    error = error_of(tmp_path)
    assert "a.GGUF, b.gguf" in error.hint
    (tmp_path / "a-mmproj.gguf").write_bytes(b"x")
    assert f"For example: {TYPED_COMMAND} {tmp_path / 'a.GGUF'}" in error_of(tmp_path).hint
    assert "c.txt" not in error.hint


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    assert isinstance(error_of(tmp_path / "pipe.gguf"), UsageError)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(make.small_file())
    path.chmod(0)
    assert "Permission denied" in error_of(path).message


def counts(tensors: int, pairs: int, rest: bytes = b"") -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, pairs) + rest + bytes(4096)


@pytest.mark.parametrize(
    "content",
    [
        counts(0, 2**63),
        counts(2**63, 0),
        counts(2**17, 0),
        counts(0, 1, struct.pack("<Q", 2**62)),
        counts(0, 1, struct.pack("<Q", 2**23)),
        counts(0, 1, make.text("k") + struct.pack("<IIQ", 9, 8, 2**60)),
        counts(0, 1, make.text("k") + struct.pack("<IIQ", 9, 8, 2**12)),
        counts(0, 1, make.text("k") + struct.pack("<IIQ", 9, 0, 2**40)),
        counts(0, 1, make.text("k") + struct.pack("<IIQ", 9, 9, 1)),
        counts(0, 1, make.text("k") + struct.pack("<II", 77, 1)),
        counts(1, 0, make.text("t") + struct.pack("<I", 2**31)),
        counts(1, 0, make.tensor("t", (2**63, 2**63, 2**63, 2**63), 0, 0)),
        counts(1, 0, make.tensor("t", (8,), 2**31, 0)),
        counts(1, 0, make.tensor("t", (8,), 0, 7)),
        counts(1, 0, make.tensor("t", (100,), 12, 0)),
        counts(2, 0, make.tensor("t", (8,), 0, 0) + make.tensor("t", (8,), 0, 32)),
        counts(2, 0, make.tensor("t", (64,), 0, 0) + make.tensor("u", (8,), 0, 32)),
    ],
)
def test_absurd_counts_take_neither_time_nor_memory(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        started = time.process_time()
        assert isinstance(error_of(path), IntegrityError)
        assert time.process_time() - started < 5  # counting to 2 ** 31 takes minutes
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_a_huge_file_of_zeros_after_a_good_start_ends_soon(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    arrays = struct.pack("<IIQ", 9, 8, 2**24 - 1)
    path.write_bytes(counts(0, 60_000, make.text("a") + arrays))
    with path.open("r+b") as file:
        file.truncate(4 << 30)  # sparse: costs no disk
    started = time.process_time()
    assert isinstance(error_of(path), IntegrityError)
    assert time.process_time() - started < 10


def test_every_truncation_is_a_clear_error(tmp_path: Path) -> None:
    whole, path = make.small_file(), tmp_path / "a.gguf"
    last = len(whole) - 1
    for length in [*range(200), *range(200, last, 37), last]:
        path.write_bytes(whole[:length])
        error = error_of(path)
        assert isinstance(error, IntegrityError), length


def test_flipped_bytes_never_raise_anything_else(tmp_path: Path) -> None:
    whole, path = make.small_file(), tmp_path / "a.gguf"
    random_source = random.Random(7)
    header_end = len(whole) - 608
    exit_codes = []
    for round_number in range(3000):
        data = bytearray(whole)
        for _ in range(1 + round_number % 4):
            data[random_source.randrange(header_end)] = random_source.choice((0, 1, 9, 127, 128, 255))
        path.write_bytes(data)
        try:
            read_header(path)
        except PhiError as error:
            exit_codes.append(error.exit_code)
    assert len(exit_codes) > 500
    assert set(exit_codes) == {8}
