from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from phicli.errors import UsageError
from phicli.supervisor.hold import take
from phicli.supervisor.place import LONGEST_SOCKET_PATH, Place, check_private, place

posix = pytest.mark.skipif(sys.platform == "win32", reason="modes and owners are those of POSIX")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@posix
def test_the_folder_is_private_whatever_the_umask_says(here: Place) -> None:
    before = os.umask(0)
    try:
        here.make()
    finally:
        os.umask(before)
    assert mode_of(here.folder) == 0o700


def test_nothing_is_created_by_asking_for_the_place(here: Place, home: Path) -> None:
    assert here.folder.is_relative_to(home)
    assert list(home.iterdir()) == []


@posix
def test_a_folder_that_others_may_enter_is_refused_with_the_command_that_mends_it(here: Place) -> None:
    here.make()
    here.folder.chmod(0o750)
    with pytest.raises(UsageError, match="may be entered by other users") as refused:
        here.make()
    assert refused.value.hint == f"run: chmod 700 {here.folder}"
    with pytest.raises(UsageError):
        here.check()


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused(here: Place) -> None:
    here.make()
    os.chown(here.folder, 65534, 65534)
    with pytest.raises(UsageError, match="belongs to another user"):
        here.make()
    with pytest.raises(UsageError, match="belongs to another user"):
        here.check()


@posix
def test_a_link_to_a_folder_is_not_a_private_folder(home: Path) -> None:
    (home / "real").mkdir(mode=0o700)
    (home / "link").symlink_to(home / "real")
    with pytest.raises(UsageError, match="is not a folder"):
        check_private(home / "link")


@posix
def test_a_long_home_has_its_socket_elsewhere_in_a_private_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = home / "run"
    runtime.mkdir()
    monkeypatch.setenv("PHI_HOME", str(home / ("long" * 30)))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    here = place()
    assert here.socket.is_relative_to(runtime)
    assert here.socket == place().socket
    here.make()
    assert mode_of(here.socket.parent) == 0o700
    monkeypatch.setenv("PHI_HOME", str(home / ("other" * 30)))
    assert place().socket != here.socket, "another home has another socket"


@posix
def test_without_a_runtime_folder_the_socket_is_in_the_folder_for_temporary_files(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHI_HOME", str(home / ("long" * 30)))
    for runtime in ("", "relative", str(home / "missing"), str(home / ("x" * 90))):
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        assert len(os.fsencode(place().socket)) <= LONGEST_SOCKET_PATH
        assert not place().socket.is_relative_to(home)


@posix
def test_a_folder_for_the_socket_that_somebody_else_made_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = home / "run"
    monkeypatch.setenv("PHI_HOME", str(home / ("long" * 30)))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    runtime.mkdir()
    place().socket.parent.mkdir()
    place().socket.parent.chmod(0o777)
    with pytest.raises(UsageError, match="may be entered by other users"):
        take(place(), version="1")


def test_a_home_that_cannot_be_a_folder_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("PHI_HOME", str(home / "file"))
    with pytest.raises(UsageError, match="cannot be created"):
        place().make()
    place().check()
