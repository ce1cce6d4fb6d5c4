from __future__ import annotations

import shutil
from pathlib import Path

import machine_tree as tree
import pytest

from phicli.hardware.disk import disk_at, is_in_memory
from phicli.hardware.system import container_kind, is_wsl, system_name
from tests.support.disks import small_file_system


def test_the_disk_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    disk, source = disk_at(tmp_path / "hub" / "models")
    assert disk is not None
    assert disk.path == str(tmp_path)
    assert 0 <= disk.free_bytes <= disk.total_bytes
    assert source == "the file system of the cache"


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    disk, _ = disk_at(tmp_path / "file" / "below")
    assert disk is not None


def test_a_disk_that_cannot_be_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shutil, "disk_usage", refuse)
    assert disk_at(tmp_path) == (None, "the disk cannot be checked: Permission denied")


def test_no_folder_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: Path) -> object:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(shutil, "disk_usage", missing)
    assert disk_at(tmp_path) == (None, "no folder above the cache exists")


@pytest.mark.process
def test_a_file_system_in_memory(tmp_path: Path) -> None:
    with small_file_system(tmp_path / "in memory", "size=1m") as folder:
        (folder / "below").mkdir()
        assert is_in_memory(folder / "below")
        assert is_in_memory(folder / "not there yet")
    assert not is_in_memory(Path("/proc"))
    assert not is_in_memory(tmp_path / "\0")


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({}, None),
        ({".dockerenv": ""}, "docker"),
        ({"run/.containerenv": "engine=podman"}, "podman"),
        ({".dockerenv": "", "var/run/secrets/kubernetes.io/x": ""}, "kubernetes"),
        ({"proc/self/cgroup": "0::/kubepods.slice/kubepods-burstable.slice/docker-1.scope\n"}, "kubernetes"),
        ({"proc/self/cgroup": "4:memory:/docker/0123\n"}, "docker"),
        ({"proc/self/cgroup": "0::/machine.slice/libpod-77.scope\n", ".dockerenv": ""}, "podman"),
        ({"proc/self/cgroup": "0::/lxc.payload.web\n"}, "lxc"),
        ({"proc/self/cgroup": "0::/user.slice/user-1000.slice/session-2.scope\n"}, None),
        ({"run/systemd/container": "systemd-nspawn\n"}, "systemd-nspawn"),
        ({"run/systemd/container": "wsl\n"}, None),
        ({"run/systemd/container": "\n"}, None),
    ],
)
def test_containers(tmp_path: Path, files: dict[str, str], kind: str | None) -> None:
    assert container_kind(tree.write(tmp_path, files))[0] == kind


def test_a_service_of_the_host_is_no_container(tmp_path: Path) -> None:
    for name in (
        "docker.service",
        "containerd.service",
        "lxc-net.service",
        "user@1000.service/app.slice/docker.service",
    ):
        root = tree.write(tmp_path, {"proc/self/cgroup": f"0::/system.slice/{name}\n"})
        assert container_kind(root)[0] is None


def test_names_of_systems(tmp_path: Path) -> None:
    assert system_name(tmp_path, "linux") == "Linux"
    assert not is_wsl(tmp_path)
    kernel = "5.15.153.1-Microsoft-standard-WSL2"
    tree.write(tmp_path, {"etc/os-release": "PRETTY_NAME='Debian 12'\n#x\n", "proc/sys/kernel/osrelease": kernel})
    assert system_name(tmp_path, "linux") == f"Debian 12, Linux {kernel}"
    assert is_wsl(tmp_path)
    assert system_name(tmp_path, "darwin").startswith("macOS")
    assert system_name(tmp_path, "win32")
