"""Files that are damaged, of another program, or of a newer phi: nothing is deleted, and it is said."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from phicli.chat.store.sessions import Sessions
from phicli.errors import IntegrityError
from tests.support.disks import make_read_only, small_file_system
from tests.support.sessions import dialogue_of


def aside(sessions: Sessions, end: str = "") -> Path:
    return sessions.path.with_name(f"sessions.sqlite.damaged{end}")


def foreign(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE birds (name)")
    other.commit()
    other.close()


def garbage(path: Path) -> None:
    path.write_bytes(b"garbage " * 1000)


def half(path: Path) -> None:
    saved = Sessions(path)
    saved.create("trip", "m", dialogue_of(30))
    content = path.read_bytes()
    path.write_bytes(content[:1024] + b"\xff" * (len(content) - 1024))


DAMAGE = pytest.mark.parametrize("damage", [foreign, garbage, half])


@DAMAGE
def test_a_damaged_file_is_set_aside_when_it_is_read(
    sessions: Sessions, notices: list[str], damage: Callable[[Path], None]
) -> None:
    sessions.path.parent.mkdir()
    damage(sessions.path)
    content = sessions.path.read_bytes()
    assert sessions.list() == ()
    assert aside(sessions).read_bytes() == content
    (notice,) = notices
    assert str(sessions.path) in notice
    assert "sessions.sqlite.damaged" in notice
    saved = sessions.create("trip", "m", dialogue_of(1))
    assert sessions.get("trip") == saved
    assert len(notices) == 1


@DAMAGE
def test_a_damaged_file_is_set_aside_when_it_is_written(
    sessions: Sessions, notices: list[str], damage: Callable[[Path], None]
) -> None:
    sessions.path.parent.mkdir()
    aside(sessions).write_text("an earlier one")
    damage(sessions.path)
    content = sessions.path.read_bytes()
    sessions.create("trip", "m", dialogue_of(1))
    assert aside(sessions).read_text() == "an earlier one"
    assert aside(sessions, "-2").read_bytes() == content
    assert [info.name for info in sessions.list()] == ["trip"]
    assert len(notices) == 1


def test_a_damaged_file_that_cannot_be_renamed(tmp_path: Path, starts_process: None) -> None:
    with small_file_system(tmp_path / "disk", "size=1m") as disk:
        path = disk / "sessions.sqlite"
        garbage(path)
        make_read_only(disk)
        with pytest.raises(IntegrityError, match="it is damaged") as damaged:
            Sessions(path).list()
        assert "set it aside" in damaged.value.hint


def test_a_folder_in_its_place(sessions: Sessions, notices: list[str]) -> None:
    (sessions.path / "inside").mkdir(parents=True)
    assert sessions.create("trip", "m", dialogue_of(1)).info.name == "trip"
    assert (aside(sessions) / "inside").is_dir()
    assert "not a regular file" in notices[0]


def test_only_one_of_many_sets_it_aside(tmp_path: Path) -> None:
    """Else a good file that another process has just begun would be set aside too."""
    path = tmp_path / "sessions.sqlite"
    for _ in range(10):
        path.unlink(missing_ok=True)
        for left in tmp_path.glob("*.damaged*"):
            left.unlink()
        garbage(path)
        notices: list[str] = []
        with ThreadPoolExecutor(8) as pool:
            list(
                pool.map(
                    lambda number, said=notices: Sessions(path, on_notice=said.append).create(
                        f"s{number}", "m", dialogue_of(1)
                    ),
                    range(8),
                )
            )
        assert len(notices) == len(list(tmp_path.glob("*.damaged*"))) == 1
        assert len(Sessions(path).list()) == 8


def test_a_file_of_a_newer_phi_stays_as_it_is(sessions: Sessions, notices: list[str]) -> None:
    saved = sessions.create("trip", "m", dialogue_of(1))
    raw = sqlite3.connect(sessions.path)
    raw.execute("PRAGMA user_version = 99")
    raw.close()
    content = sessions.path.read_bytes()
    for use in (
        sessions.list,
        lambda: sessions.get("trip"),
        lambda: sessions.create("new", "m", dialogue_of(1)),
        lambda: sessions.update(saved, dialogue_of(2), model="m", on_overflow=None),
        lambda: sessions.remove(["trip"]),
    ):
        with pytest.raises(IntegrityError, match=r"a newer phi wrote the sessions .*format 99") as newer:
            use()
        assert "upgrade phi" in newer.value.hint
    assert sessions.path.read_bytes() == content
    assert [path.name for path in sessions.path.parent.iterdir()] == ["sessions.sqlite"]
    assert notices == []


def test_what_is_no_damage_sets_nothing_aside(sessions: Sessions) -> None:
    """A column that is missing is a mistake of ours, and the conversations are still in the file."""
    sessions.create("trip", "m", dialogue_of(1))
    raw = sqlite3.connect(sessions.path)
    raw.execute("ALTER TABLE sessions RENAME COLUMN title TO caption")
    raw.close()
    with pytest.raises(IntegrityError, match="no such column"):
        sessions.list()
    assert sessions.path.exists()
    assert not aside(sessions).exists()
