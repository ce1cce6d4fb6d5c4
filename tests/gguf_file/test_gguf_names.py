"""What the names of GGUF files tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from phicli.gguf_file.names import first_part, is_gguf_name, part_names, parts_of, stem_of, whole_size


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("m.gguf", ("m.gguf",)),
        ("a/m-00002-of-00003.gguf", tuple(f"a/m-0000{number}-of-00003.gguf" for number in (1, 2, 3))),
        ("m-00001-of-00001.GGUF", ("m-00001-of-00001.GGUF",)),
        ("m-00001-of-00000.gguf", ("m-00001-of-00000.gguf",)),
        ("m-00000-of-00002.gguf", ("m-00000-of-00002.gguf",)),
        ("m-00004-of-00003.gguf", ("m-00004-of-00003.gguf",)),
        ("m-00001-of-00002.bin", ("m-00001-of-00002.bin",)),
        ("", ("",)),
    ],
)
def test_parts(name: str, parts: tuple[str, ...]) -> None:
    assert part_names(name) == parts
    assert first_part(name) == parts[0]


def test_the_root_has_no_name() -> None:
    assert parts_of(Path("/")) == (Path("/"),)


@pytest.mark.parametrize(
    ("name", "stem"), [("a/M.GGUF", "M"), ("m-00002-of-00003.gguf", "m"), ("m.bin", "m.bin"), ("m.gguf.gguf", "m.gguf")]
)
def test_stems(name: str, stem: str) -> None:
    assert stem_of(name) == stem


def test_names_of_gguf_files() -> None:
    names = ("m.gguf", "a/M.GGUF", "m.safetensors", "m.gguf.part")
    assert [is_gguf_name(name) for name in names] == [True, True, False, False]


def test_the_size_of_all_parts(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"m-0000{number}-of-00002.gguf").write_bytes(bytes(number))
    assert whole_size(tmp_path / "m-00001-of-00002.gguf") == 3
    (tmp_path / "m-00002-of-00002.gguf").unlink()
    assert whole_size(tmp_path / "m-00001-of-00002.gguf") is None
