"""The format of a SQLite file: made, recognized, and migrated without losing anything."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.errors import IntegrityError
from phicli.storage.aside import LastingFile, set_aside
from phicli.storage.form import Form
from phicli.storage.sqlite_errors import DamagedError
from phicli.storage.sqlite_file import SqliteFile
from tests.support.disks import make_read_only, small_file_system

ONE = Form("the birds", "the next bird starts a new file", "birds", (("CREATE TABLE birds (name TEXT)",),))
THREE = replace(
    ONE,
    steps=(
        *ONE.steps,
        ("ALTER TABLE birds ADD COLUMN eggs INTEGER NOT NULL DEFAULT 0", "UPDATE birds SET eggs = length(name)"),
        ("CREATE INDEX by_eggs ON birds (eggs)",),
    ),
)
BROKEN = replace(THREE, steps=(*THREE.steps, ("UPDATE birds SET name = 'gone'", "SELECT * FROM nests")))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "birds.sqlite"


@pytest.fixture
def first(path: Path) -> Path:
    """A file in format 1 with two birds."""
    SqliteFile(path, ONE).write(lambda db: db.execute("INSERT INTO birds VALUES ('owl'), ('crane')"))
    return path


def eggs(db: sqlite3.Connection) -> list[tuple[str, int]]:
    return db.execute("SELECT name, eggs FROM birds ORDER BY eggs").fetchall()


def names(db: sqlite3.Connection) -> list[str]:
    return [name for (name,) in db.execute("SELECT name FROM birds ORDER BY name")]


def version(path: Path) -> int:
    raw = sqlite3.connect(path)
    found = raw.execute("PRAGMA user_version").fetchone()[0]
    raw.close()
    return int(found)


def test_a_new_file_has_the_newest_format(path: Path) -> None:
    SqliteFile(path, THREE).write(lambda db: db.execute("INSERT INTO birds VALUES ('owl', 2)"))
    assert version(path) == 3
    assert SqliteFile(path, THREE).read(eggs, []) == [("owl", 2)]


def test_an_older_file_is_migrated_when_it_is_read(first: Path) -> None:
    assert SqliteFile(first, THREE).read(eggs, []) == [("owl", 3), ("crane", 5)]
    assert version(first) == 3
    assert SqliteFile(first, THREE).read(eggs, []) == [("owl", 3), ("crane", 5)], "once is enough"


def test_an_older_file_is_migrated_when_it_is_written(first: Path) -> None:
    SqliteFile(first, THREE).write(lambda db: db.execute("INSERT INTO birds VALUES ('wren', 9)"))
    assert SqliteFile(first, THREE).read(eggs, []) == [("owl", 3), ("crane", 5), ("wren", 9)]


def test_a_phi_that_is_older_than_the_file_leaves_it_alone(first: Path) -> None:
    SqliteFile(first, THREE).read(eggs, [])
    for use in (lambda file: file.read(names, []), lambda file: file.write(names)):
        with pytest.raises(IntegrityError, match=r"a newer phi wrote the birds .*format 3") as newer:
            use(SqliteFile(first, ONE))
        assert not isinstance(newer.value, DamagedError)
    assert SqliteFile(first, THREE).read(names, []) == ["crane", "owl"]


def test_a_migration_that_fails_changes_nothing(first: Path) -> None:
    for use in (lambda file: file.read(names, []), lambda file: file.write(names)):
        with pytest.raises(IntegrityError, match="no such table: nests") as failed:
            use(LastingFile(first, BROKEN, None, lambda _: None))
        assert not isinstance(failed.value, DamagedError), "it is not set aside"
    assert version(first) == 1
    assert SqliteFile(first, ONE).read(names, []) == ["crane", "owl"]


def test_a_migration_that_cannot_be_written(tmp_path: Path, starts_process: None) -> None:
    with small_file_system(tmp_path / "disk", "size=1m") as disk:
        SqliteFile(disk / "birds.sqlite", ONE).write(lambda db: db.execute("INSERT INTO birds VALUES ('owl')"))
        make_read_only(disk)
        assert SqliteFile(disk / "birds.sqlite", ONE).read(names, []) == ["owl"]
        with pytest.raises(OSError, match="the birds cannot be used"):
            SqliteFile(disk / "birds.sqlite", THREE).read(names, [])


def test_companions_are_set_aside_too(path: Path) -> None:
    path.write_text("garbage")
    status = path.stat()
    for end in ("-journal", "-wal", "-shm"):
        Path(f"{path}{end}").write_text(end)
    Path(f"{path}.damaged").touch()
    moved = set_aside(path, (status.st_dev, status.st_ino))
    assert moved == path.with_name("birds.sqlite.damaged-2")
    assert moved.read_text() == "garbage"
    assert [Path(f"{moved}{end}").read_text() for end in ("-journal", "-wal", "-shm")] == ["-journal", "-wal", "-shm"]
    assert len(list(path.parent.iterdir())) == 5


def test_another_file_than_the_damaged_one_is_not_set_aside(path: Path) -> None:
    path.write_text("good")
    status = path.stat()
    for identity in (None, (status.st_dev, status.st_ino + 1)):
        assert set_aside(path, identity) is None
    assert path.read_text() == "good"
