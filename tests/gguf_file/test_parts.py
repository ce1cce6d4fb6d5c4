"""Models in several files: every fault is named, with the part that has it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from phicli.errors import IntegrityError, NotFoundError, PhiError
from phicli.gguf_file.header import read_any_header, read_header
from phicli.plan.locate import locate
from tests.support.gguf_kinds import split_tiny_phi


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    return split_tiny_phi(tmp_path / "model")


def error_of(path: Path) -> PhiError:
    with pytest.raises(PhiError) as caught:
        read_header(path)
    assert caught.value.hint
    return caught.value


def test_all_parts_are_there(parts: list[Path]) -> None:
    header = read_header(parts[0])
    assert (header.split_count, header.part_number, header.architecture) == (len(parts), 1, "phi3")
    assert read_any_header(parts[1]).part_number == 2


def test_any_part_means_the_whole(parts: list[Path]) -> None:
    assert locate(str(parts[1])).path == parts[0]
    assert locate(str(parts[0])).path == parts[0]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_missing_part_is_named(parts: list[Path], number: int) -> None:
    lost = parts[number - 1]
    lost.unlink()
    here = parts[1] if number == 1 else parts[0]
    error = error_of(locate(str(here)).path)
    assert isinstance(error, NotFoundError)
    assert error.message == f"part {number} of {len(parts)} of the model is missing: {lost}"


def test_a_cut_part_is_named(parts: list[Path]) -> None:
    size = parts[1].stat().st_size
    os.truncate(parts[1], size - 100)
    error = error_of(parts[0])
    assert isinstance(error, IntegrityError)
    assert str(parts[1]) in error.message
    assert "(100 are missing)" in error.message


def test_an_empty_part_is_named(parts: list[Path]) -> None:
    os.truncate(parts[2], 0)
    error = error_of(parts[0])
    assert isinstance(error, IntegrityError)
    assert error.message == f"{parts[2]} is empty (0 bytes)"


@pytest.mark.parametrize("number", [1, 2])
def test_a_renamed_part_says_how_parts_are_called(parts: list[Path], number: int) -> None:
    renamed = parts[number - 1].rename(parts[0].with_name("m part.gguf"))
    error = error_of(renamed)
    assert isinstance(error, IntegrityError)
    assert error.message == f"{renamed} is part {number} of {len(parts)} of a model, but its name does not say so"
    assert f"model-0000{number}-of-0000{len(parts)}.gguf" in error.hint


def test_a_part_in_the_place_of_another_is_named(parts: list[Path]) -> None:
    shutil.copy(parts[1], parts[2])
    error = error_of(parts[0])
    assert isinstance(error, IntegrityError)
    assert error.message == f"{parts[2]} is not part 3 of {len(parts)} of the model, although its name says so"
