"""The engine's source archive: only ggml of exactly the installed version is unpacked."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import pytest

from phicli.errors import DoesNotFitError, IntegrityError, NotFoundError
from phicli.kernels.sources import archive_in, given_archive, unpack
from tests.support.building import ENGINE, GGML, ggml_files, source_archive
from tests.support.disks import small_file_system

ROOT = f"xllamacpp-{ENGINE}"


def test_only_ggml_is_unpacked(tmp_path: Path) -> None:
    archive = source_archive(tmp_path / "x.tar.gz", ggml_files())
    sources = unpack(archive, ENGINE, tmp_path / "here")
    files = {
        str(path.relative_to(tmp_path / "here" / ROOT)) for path in (tmp_path / "here").rglob("*") if path.is_file()
    }
    assert files == {f"{GGML}/CMakeLists.txt", f"{GGML}/src/ggml-cpu/ggml-cpu.c"}
    assert sources.folder == tmp_path / "here" / ROOT / GGML
    assert sources.ggml_version == "0.26.0"
    assert sources.sha256 == hashlib.sha256(archive.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("name", "version", "said"), [("xllamacpp", "1.2.3", "is xllamacpp 1.2.3"), ("other", ENGINE, "is other")]
)
def test_another_package_or_version_is_refused(tmp_path: Path, name: str, version: str, said: str) -> None:
    archive = source_archive(tmp_path / "x.tar.gz", ggml_files(), name=name, version=version)
    with pytest.raises(IntegrityError, match=said) as caught:
        unpack(archive, ENGINE, tmp_path / "here")
    assert caught.value.hint.endswith(f"xllamacpp=={ENGINE}")
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize("kept", [0, 10, 200], ids=lambda kept: f"{kept} bytes")
def test_a_truncated_archive_is_refused(tmp_path: Path, kept: int) -> None:
    archive = source_archive(tmp_path / "x.tar.gz", ggml_files())
    archive.write_bytes(archive.read_bytes()[:kept])
    with pytest.raises(IntegrityError):
        unpack(archive, ENGINE, tmp_path / "here")


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "x.tar.gz"
    archive.write_text("not an archive")
    with pytest.raises(IntegrityError, match="not a complete source archive"):
        unpack(archive, ENGINE, tmp_path / "here")


def test_an_archive_without_package_facts_or_ggml_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "empty.tar.gz", "w:gz"):
        pass
    with pytest.raises(IntegrityError, match="not the source archive of a Python package"):
        unpack(tmp_path / "empty.tar.gz", ENGINE, tmp_path / "here")
    archive = source_archive(tmp_path / "x.tar.gz", {"setup.py": b""})
    with pytest.raises(IntegrityError, match="does not have the sources of ggml"):
        unpack(archive, ENGINE, tmp_path / "here")


def test_links_and_names_that_lead_elsewhere_are_not_written(tmp_path: Path) -> None:
    link = tarfile.TarInfo(f"{ROOT}/{GGML}/src/link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc"
    archive = source_archive(tmp_path / "x.tar.gz", ggml_files(), members=[link])
    unpack(archive, ENGINE, tmp_path / "here")
    assert not (tmp_path / "here" / ROOT / GGML / "src" / "link").is_symlink()
    outside = tarfile.TarInfo(f"{ROOT}/{GGML}/../../../../../outside")
    archive = source_archive(tmp_path / "y.tar.gz", ggml_files(), members=[outside])
    with pytest.raises(IntegrityError):
        unpack(archive, ENGINE, tmp_path / "there")
    assert not (tmp_path / "outside").exists()


def test_an_archive_that_is_far_too_large_is_refused(tmp_path: Path) -> None:
    huge = tarfile.TarInfo(f"{ROOT}/{GGML}/src/huge.c")
    huge.size = 1 << 40
    archive = tmp_path / "x.tar.gz"
    source_archive(archive, ggml_files(), members=[huge])
    with pytest.raises(IntegrityError, match="far larger"):
        unpack(archive, ENGINE, tmp_path / "here")


@pytest.mark.process
def test_a_full_disk_is_reported(tmp_path: Path) -> None:
    files = ggml_files() | {f"{GGML}/src/large.c": bytes(1 << 20)}
    archive = source_archive(tmp_path / "x.tar.gz", files)
    with small_file_system(tmp_path / "disk", "size=64k") as disk, pytest.raises(DoesNotFitError, match="is full"):
        unpack(archive, ENGINE, disk / "here")


def test_what_pip_left_must_be_one_archive(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no source archive"):
        archive_in(tmp_path, ENGINE)
    (tmp_path / "x.tar.gz").touch()
    assert archive_in(tmp_path, ENGINE) == tmp_path / "x.tar.gz"


def test_a_named_archive_must_be_a_file(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="does not exist"):
        given_archive(tmp_path / "none.tar.gz")
    with pytest.raises(NotFoundError, match="is a folder"):
        given_archive(tmp_path)
