"""Models that travel in an archive: the way there and back, and everything that can be done to one in between."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from phicli.errors import DoesNotFitError, IntegrityError, NotFoundError, UsageError
from phicli.hub import verified
from phicli.hub.archive import exporting as archive_export
from phicli.hub.archive import importing as archive_import
from phicli.hub.archive.exporting import Exported, export_model
from phicli.hub.archive.format import MANIFEST, is_archive
from phicli.hub.archive.importing import import_archive
from phicli.hub.in_place.registration import register
from phicli.hub.in_place.registry import find
from phicli.hub.store import snapshot_path
from tests.support.archived import COMMIT, LICENSE, MODEL, NAME, PHI_4_MINI, README, REPO, put
from tests.support.cache_layout import photograph
from tests.support.disks import small_file_system
from tests.support.other_programs import phi_4_mini_bytes

# ----------------------------------------------------------------------------------------------- there and back


def test_the_manifest_is_first_and_says_everything(packed: Path) -> None:
    with tarfile.open(packed, "r:") as tar:
        members = tar.getmembers()
        names = [MANIFEST, f"files/{NAME}", "files/LICENSE", "files/README.md"]
        assert [member.name for member in members] == names
        data = json.load(tar.extractfile(members[0]))  # type: ignore[arg-type]
        assert [tar.extractfile(member).read() for member in members[1:]] == [MODEL, LICENSE, README]  # type: ignore[union-attr]
    assert (data["format"], data["schema"], data["repo"], data["revision"]) == ("phi-archive", 1, REPO, COMMIT)
    assert (data["model"], data["quant"], data["license"]) == ("phi-4-mini", "Q4_K_M", "MIT")
    assert data["catalog"]["id"] == "phi-4-mini"
    assert data["catalog"]["sources"][0]["repo"] == PHI_4_MINI.sources[0].repo
    assert data["files"][0] == {"name": NAME, "size_bytes": len(MODEL), "sha256": hashlib.sha256(MODEL).hexdigest()}
    assert not list(packed.parent.glob("*.part"))


def test_what_comes_out_is_what_huggingface_hub_would_have_made(packed: Path, cached: Path, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    done = import_archive(packed, folder=folder)
    assert (done.already, done.name) == (False, None)
    assert done.path == snapshot_path(folder, REPO, COMMIT, NAME)
    before, after = photograph(tmp_path / "hf", folders=False), photograph(folder, folders=False)
    after.pop("CACHEDIR.TAG", None)
    extra = {name for name in before if "other.Q8_0" in name or before[name] == ("file", MODEL + bytes(32))}
    assert after == {name: content for name, content in before.items() if name not in extra}
    record = verified.recorded(done.path)
    assert record is not None
    assert record.sha256 == hashlib.sha256(MODEL).hexdigest()
    from huggingface_hub import scan_cache_dir

    (repo,) = scan_cache_dir(folder).repos
    assert (repo.repo_id, repo.nb_files) == (REPO, 3)
    assert scan_cache_dir(folder).warnings == []


def test_a_second_import_writes_nothing(packed: Path, tmp_path: Path) -> None:
    import_archive(packed, folder=tmp_path / "other")
    path = snapshot_path(tmp_path / "other", REPO, COMMIT, NAME)
    before = path.resolve().stat().st_ino
    done = import_archive(packed, folder=tmp_path / "other")
    assert done.already
    assert path.resolve().stat().st_ino == before


def test_a_newer_main_stays_what_it_is(packed: Path, tmp_path: Path) -> None:
    ref = tmp_path / "other" / f"models--{REPO.replace('/', '--')}" / "refs" / "main"
    ref.parent.mkdir(parents=True)
    ref.write_text("8" * 40)
    done = import_archive(packed, folder=tmp_path / "other")
    assert ref.read_text() == "8" * 40
    assert done.path.parent.name == COMMIT
    assert snapshot_path(tmp_path / "other", REPO, COMMIT, NAME) == done.path


def test_a_damaged_file_in_the_cache_is_replaced(packed: Path, tmp_path: Path) -> None:
    done = import_archive(packed, folder=tmp_path / "other")
    content = bytearray(MODEL)
    content[-1] ^= 1
    done.path.resolve().write_bytes(content)
    again = import_archive(packed, folder=tmp_path / "other")
    assert not again.already
    assert again.path.read_bytes() == MODEL


def test_a_name_beside_the_repository(packed: Path, tmp_path: Path) -> None:
    done = import_archive(packed, folder=tmp_path / "other", name="work")
    model = find("work")
    assert model is not None
    assert (done.name, model.path, model.variant_id) == ("work", done.path, "phi-4-mini")


def test_a_split_model_travels_whole(tmp_path: Path) -> None:
    for number, content in ((1, MODEL), (2, b"1234")):
        first = put(tmp_path / "hf", f"Q8_0/m-q8_0-0000{number}-of-00002.gguf", content)
    export_model(first.with_name("m-q8_0-00001-of-00002.gguf"), tmp_path / "m.tar", name="m")
    done = import_archive(tmp_path / "m.tar", folder=tmp_path / "other")
    assert done.path.name == "m-q8_0-00001-of-00002.gguf"
    assert done.path.with_name("m-q8_0-00002-of-00002.gguf").read_bytes() == b"1234"


def test_a_model_of_no_repository_gets_a_folder_and_a_name(tmp_path: Path, home: Path) -> None:
    blob = tmp_path / "sha256-abc"  # as in Ollama's folder
    blob.write_bytes(MODEL)
    register(blob, name="work")
    export_model(blob, tmp_path / "work.tar", name="work")
    with pytest.raises(UsageError, match="already used for"):
        import_archive(tmp_path / "work.tar", name="work")
    done = import_archive(tmp_path / "work.tar")
    assert done.name == "work-local"
    assert done.path == home / "data" / "imported" / "work-local" / "sha256-abc.gguf"
    assert done.path.read_bytes() == MODEL
    model = find("work-local")
    assert model is not None
    assert (model.path, model.variant_id) == (done.path, "phi-4-mini")
    again = import_archive(tmp_path / "work.tar")
    assert (again.already, again.name) == (True, "work-local")
    assert import_archive(tmp_path / "work.tar", name="third").name == "third"


def test_long_names_travel_under_short_ones(tmp_path: Path) -> None:
    path = put(tmp_path / "hf", f"{'x' * 120}.gguf", MODEL)
    export_model(path, tmp_path / "m.tar", name="m")
    with tarfile.open(tmp_path / "m.tar") as tar:
        assert tar.getnames() == [MANIFEST, "files/00000"]
    assert import_archive(tmp_path / "m.tar", folder=tmp_path / "other").path.name == path.name


def test_progress_ends_at_the_whole(packed: Path, cached: Path, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    total = len(MODEL) + len(README) + len(LICENSE)
    import_archive(packed, folder=tmp_path / "other", on_progress=lambda *state: seen.append(state))
    assert seen[-1] == ("reading", total, total)
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    export_model(cached, tmp_path / "b.tar", name="b", on_progress=lambda *state: seen.append(state))
    assert seen[-1] == ("writing", total, total)


def test_what_is_an_archive(packed: Path, cached: Path, tmp_path: Path) -> None:
    shutil.copy(packed, tmp_path / "renamed")
    shutil.copy(cached, tmp_path / "model.tar")
    assert [is_archive(tmp_path / name) for name in ("phi.tar", "renamed", "none.tar")] == [True, True, True]
    assert [is_archive(path) for path in (cached, tmp_path / "model.tar", tmp_path, tmp_path / "x.gguf")] == [False] * 4


# --------------------------------------------------------------------------------------------- what export refuses


def test_a_target_that_is_there(packed: Path, cached: Path) -> None:
    before = packed.read_bytes()
    with pytest.raises(UsageError, match="already exists"):
        export_model(cached, packed, name="other")
    assert packed.read_bytes() == before
    done = export_model(cached, packed, name="other", force=True)
    assert isinstance(done, Exported)
    assert packed.read_bytes() != before


def test_targets_that_cannot_be(cached: Path, tmp_path: Path) -> None:
    for target in (tmp_path, tmp_path / "none" / "x.tar", cached, cached.resolve()):
        with pytest.raises(UsageError):
            export_model(cached, target, name="m", force=True)
    assert cached.read_bytes() == MODEL


def test_a_damaged_model_does_not_leave(cached: Path, tmp_path: Path) -> None:
    cached.resolve().write_bytes(MODEL[:-1] + b"\1")
    with pytest.raises(IntegrityError, match="SHA-256"):
        export_model(cached, tmp_path / "m.tar", name="m")
    assert not list(tmp_path.glob("m.tar*"))


def test_a_record_that_lies_is_found_out(cached: Path, tmp_path: Path) -> None:
    """The hash is taken from the records, so the copy itself is compared with it."""
    path = cached.with_name("local.gguf")
    path.write_bytes(MODEL)
    verified.record(path, "0" * 64)
    with pytest.raises(IntegrityError, match="has changed since it was verified"):
        export_model(path, tmp_path / "m.tar", name="m")
    assert not list(tmp_path.glob("m.tar*"))


def test_a_part_that_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "m-00001-of-00002.gguf"
    path.write_bytes(MODEL)
    with pytest.raises(NotFoundError, match="m-00002-of-00002"):
        export_model(path, tmp_path / "m.tar", name="m")


def test_a_model_that_only_has_the_name_of_another_is_exported_without_it(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(phi_4_mini_bytes(layers=3))
    assert export_model(path, tmp_path / "m.tar", name="m", variant=PHI_4_MINI).manifest.model is None


# ------------------------------------------------------------------------------------------------------ full disks


def test_the_disk_is_looked_at_first(
    monkeypatch: pytest.MonkeyPatch, packed: Path, cached: Path, tmp_path: Path
) -> None:
    usage = type(shutil.disk_usage(tmp_path))(10, 9, 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DoesNotFitError) as caught:
        export_model(cached, tmp_path / "m.tar", name="m")
    assert caught.value.data is not None
    assert caught.value.data["free_bytes"] == 1
    assert caught.value.data["needed_bytes"] > len(MODEL)
    with pytest.raises(DoesNotFitError):
        import_archive(packed, folder=tmp_path / "other")
    assert not (tmp_path / "other").exists()
    assert not list(tmp_path.glob("m.tar*"))


@pytest.fixture
def small_disk(tmp_path: Path, starts_process: None) -> Iterator[Path]:
    """A file system of one megabyte."""
    with small_file_system(tmp_path / "small", "size=1m") as folder:
        yield folder


def test_a_disk_that_fills_up_meanwhile(
    monkeypatch: pytest.MonkeyPatch, small_disk: Path, cached: Path, tmp_path: Path
) -> None:
    big = cached.with_name("big.gguf")
    big.write_bytes(MODEL + bytes(2_000_000))
    export_model(big, tmp_path / "big.tar", name="big")
    with pytest.raises(DoesNotFitError):
        export_model(big, small_disk / "big.tar", name="big")
    monkeypatch.setattr(archive_export, "check_space", lambda folder, needed: None)
    monkeypatch.setattr(archive_import, "check_space", lambda folder, needed: None)
    with pytest.raises(DoesNotFitError, match="is full"):
        export_model(big, small_disk / "big.tar", name="big")
    with pytest.raises(DoesNotFitError, match="is full"):
        import_archive(tmp_path / "big.tar", folder=small_disk / "hf")
    assert photograph(small_disk) == {}
