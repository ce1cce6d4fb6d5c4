"""The rows of phi engine list: what is in use, and why not the others."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from phicli.engine.kernels import kernels_folder, remember_failure, write_choice
from phicli.errors import NotFoundError, UsageError
from phicli.kernels.listing import choose, find, names, remove, rows
from tests.support.building import ENGINE
from tests.support.kernels import save_kernels


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "phi"))
    return tmp_path / "phi"


@pytest.fixture
def module(tmp_path: Path) -> Path:
    return module_called(tmp_path, "zen4")


def module_called(folder: Path, variant: str) -> Path:
    path = folder / f"libggml-cpu-{variant}.so"
    path.write_bytes(variant.encode())
    return path


def reasons() -> dict[str, str]:
    return {row.variant: row.reason for row in rows()}


def test_without_a_build_the_wheel_is_in_use() -> None:
    (wheel,) = rows()
    assert (wheel.name, wheel.variant, wheel.build, wheel.in_use) == ("wheel", "wheel", f"xllamacpp {ENGINE}", True)
    assert wheel.reason == "no native kernels were built"


def test_what_was_built_for_this_processor_is_in_use(module: Path) -> None:
    save_kernels(module)
    wheel, built = rows()
    assert (built.in_use, wheel.in_use, wheel.reason) == (True, False, "native kernels are in use")
    assert built.build == f"xllamacpp {ENGINE} (zen4 kernels)"
    assert built.name == names()[0]
    assert built.size_bytes > 0


def test_each_reason_not_to_use_a_build_is_named(module: Path, tmp_path: Path) -> None:
    save_kernels(module, prompt_ratio=3.0)
    save_kernels(module_called(tmp_path, "icelake"), engine="1.2.3")
    save_kernels(module_called(tmp_path, "skylakex"), processor="another")
    save_kernels(module_called(tmp_path, "cascadelake"), prompt_ratio=1.0)
    save_kernels(module_called(tmp_path, "cooperlake"))
    remember_failure(save_kernels(module_called(tmp_path, "alderlake")), "the engine crashed")
    damaged = save_kernels(module_called(tmp_path, "haswell"))
    module_called(tmp_path, "haswell").write_bytes(b"other")
    assert damaged.path.read_bytes() == b"other"
    found = reasons()
    assert "1.2.3" in found["icelake"]
    assert found["skylakex"] == "they were built for another processor: another"
    assert found["cascadelake"] == "they were not faster than those of the wheel in their trial"
    assert found["cooperlake"] == "others were faster in their trial"
    assert found["alderlake"] == "the engine crashed"
    assert "is damaged" in found["haswell"]
    assert [row.variant for row in rows() if row.in_use] == ["zen4"]


def test_a_choice_changes_what_is_in_use(module: Path) -> None:
    save_kernels(module, prompt_ratio=1.0)
    assert [row.variant for row in rows() if row.in_use] == ["wheel"]
    assert choose("NATIVE") == "native"
    assert [row.variant for row in rows() if row.in_use] == ["zen4"]
    assert choose("wheel") == "wheel"
    assert reasons()["zen4"] == "the kernels of the wheel were chosen"
    with pytest.raises(UsageError, match="unknown choice of kernels: 'fast'") as caught:
        choose("fast")
    assert caught.value.hint == "choose one of auto, native, wheel"


def test_a_damaged_manifest_is_shown_and_can_be_removed(module: Path) -> None:
    saved = save_kernels(module)
    (saved.path.parent / "kernels.json").write_text("{")
    row = find(saved.path.parent.name)
    assert row.reason == "its manifest is missing or damaged"
    remove(row)
    assert len(rows()) == 1


def test_a_build_is_found_by_name_or_by_variant(module: Path) -> None:
    saved = save_kernels(module)
    assert find("zen4") == find(saved.path.parent.name)
    save_kernels(module, engine="1.2.3")
    with pytest.raises(UsageError, match="several native kernels are called 'zen4'") as caught:
        find("zen4")
    assert saved.path.parent.name in caught.value.hint
    with pytest.raises(NotFoundError, match="'icelake'") as missing:
        find("icelake")
    assert "phi engine list" in missing.value.hint
    with pytest.raises(UsageError, match="part of the package"):
        find("wheel")


def test_whatever_is_in_the_folder_can_be_listed_and_removed(module: Path, tmp_path: Path) -> None:
    save_kernels(module)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").touch()
    (kernels_folder() / "a link").symlink_to(tmp_path / "elsewhere")
    (kernels_folder() / "loop").symlink_to("loop")
    (kernels_folder() / "a file").touch()
    (kernels_folder() / "empty").mkdir()
    (kernels_folder() / "deep" / "kernels.json").mkdir(parents=True)
    junk = {row.name: row.reason for row in rows() if not row.variant}
    assert junk == dict.fromkeys(["a link", "empty", "deep"], "its manifest is missing or damaged")
    assert find("a link").size_bytes == 0
    with pytest.raises(NotFoundError, match="''"):
        find("")
    for name in junk:
        remove(find(name))
    assert [row.variant for row in rows()] == ["wheel", "zen4"]
    assert (tmp_path / "elsewhere" / "file").exists()


def test_removing_a_build_follows_no_link(module: Path) -> None:
    save_kernels(module)
    remove(find("zen4"))
    assert module.exists()
    assert names() == []


def test_other_files_in_the_folder_are_not_builds(module: Path) -> None:
    save_kernels(module)
    write_choice("auto")
    (kernels_folder() / ".new-abc").mkdir()
    assert len(names()) == 1
    shutil.rmtree(kernels_folder())
    assert names() == []
