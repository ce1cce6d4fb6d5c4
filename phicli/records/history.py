"""What was measured here, saved in one SQLite file under the data folder."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from phicli.errors import NotFoundError, PhiError, UsageError, reason_of
from phicli.paths import data_dir
from phicli.records.adapters import MeasuredAdapter, readable_adapters
from phicli.records.run import Run, Subject
from phicli.records.run_ids import new_run_id, now
from phicli.storage.form import Form
from phicli.storage.sqlite_errors import unreadable
from phicli.storage.sqlite_file import SqliteFile

KINDS: Final = ("run", "endpoint", "quality", "tune", "eval", "speed")
"""What an entry can be."""

LAST: Final = "last"
"""The word for the newest entry; no run has it as its id."""

_TABLE: Final = """
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY, made_at TEXT NOT NULL, kind TEXT NOT NULL, model TEXT NOT NULL, quant TEXT,
    engine TEXT NOT NULL, build TEXT NOT NULL, cpu TEXT NOT NULL, data TEXT NOT NULL
)
"""
_FORM: Final = Form("the history", "the next run starts a new history", "runs", ((_TABLE,),))
_COLUMNS: Final = "run_id, made_at, kind, model, quant, engine, build, cpu, data"
_PUT: Final = f"INSERT OR REPLACE INTO runs ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_ORDER: Final = "ORDER BY made_at DESC, run_id DESC"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was measured: what it is found by, and ``data``, all of it as ``--json`` has it.

    ``made_at`` is ISO 8601, UTC. ``kind`` is one of :data:`KINDS`. For ``run``, ``data`` is that of
    :meth:`phicli.records.run.Run.to_data`.
    """

    run_id: str
    made_at: str
    kind: str
    model: str
    quant: str | None
    engine: str
    build: str
    cpu: str
    data: Mapping[str, Any]

    @property
    def adapters(self) -> tuple[MeasuredAdapter, ...]:
        """The adapters (LoRA) that were used; what cannot be one is left out."""
        return tuple(readable_adapters(self.data.get("adapters")))

    def to_data(self) -> dict[str, Any]:
        """Its form in ``phi runs export``."""
        return {
            "run_id": self.run_id, "made_at": self.made_at, "kind": self.kind, "model": self.model,
            "quant": self.quant, "engine": self.engine, "build": self.build, "cpu": self.cpu, "data": dict(self.data),
        }  # fmt: skip


class History:
    """The saved entries.

    Args:
        path: the SQLite file, by default ``runs.sqlite`` under the data folder. It and its folder are made with the
            first entry; until then there are no entries.
        wait_s: as for :class:`phicli.storage.sqlite_file.SqliteFile`.
    """

    def __init__(self, path: Path | None = None, *, wait_s: float | None = None) -> None:
        self.path = data_dir() / "runs.sqlite" if path is None else path
        self._file = SqliteFile(self.path, _FORM, wait_s)

    def add(self, entry: Entry) -> None:
        """Save ``entry``, in place of one of the same id; all of it is saved or nothing.

        Raises:
            DoesNotFitError: the disk is full.
            IntegrityError: the file is damaged, or no history of this version of phi.
            PhiError: another process had it for too long.
            OSError: it cannot be written.
            ValueError: ``entry.data`` cannot be JSON: a NaN, or an object of another kind.
        """
        row = _row(entry)
        self._file.write(lambda connection: connection.execute(_PUT, row))

    def try_add(self, entry: Entry) -> str | None:
        """Save ``entry``; where that is impossible, the sentence to warn with, for what was measured is not lost."""
        try:
            self.add(entry)
        except PhiError as error:
            return f"the run was not saved: {error.message}" + (f" ({error.hint})" if error.hint else "")
        except OSError as error:
            return f"the run was not saved: {reason_of(error)}: {error.filename or self.path}"
        except ValueError as error:
            return f"the run was not saved: {error}"
        return None

    def update(self, change: Callable[[tuple[Entry, ...]], Iterable[Entry]]) -> int:
        """Save what ``change`` makes of all entries, each in place of one of the same id; returns how many.

        No other process writes between the reading and the writing. All of it is saved or nothing.

        Raises:
            DoesNotFitError, IntegrityError, PhiError, OSError, ValueError: as for :meth:`add`.
        """

        def work(connection: sqlite3.Connection) -> int:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM runs {_ORDER}").fetchall()  # noqa: S608
            new = [_row(entry) for entry in change(tuple(self._entry(row) for row in rows))]
            connection.executemany(_PUT, new)
            return len(new)

        return self._file.write(work)

    def remove(self, run_ids: Sequence[str]) -> int:
        """Remove the entries with these ids, all of them or none; returns how many there were.

        Raises:
            DoesNotFitError, IntegrityError, PhiError, OSError: as for :meth:`add`.
        """
        if not self.path.exists():
            return 0
        ids = [(run_id,) for run_id in run_ids]
        return self._file.write(
            lambda connection: connection.executemany("DELETE FROM runs WHERE run_id = ?", ids).rowcount
        )

    def get(self, prefix: str) -> Entry:
        """The entry whose id begins with ``prefix`` (in any case), or the newest one for ``last``.

        Raises:
            NotFoundError: there is none.
            UsageError: there are several; the message names some.
            IntegrityError, OSError: as for :meth:`entries`.
        """
        wanted = _storable(prefix.strip().lower())
        if wanted == LAST:
            found = self.entries(limit=1)
        else:
            found = (
                self._select("WHERE lower(substr(run_id, 1, ?)) = lower(?)", (len(wanted), wanted)) if wanted else ()
            )
            found = tuple(one for one in found if one.run_id.lower() == wanted) or found
        if not found:
            what = (
                "no run has been saved yet" if wanted == LAST else f"no saved run has an id beginning with {prefix!r}"
            )
            raise NotFoundError(what, "to save one: phi bench" if wanted == LAST else "see the ids: phi runs list")
        if len(found) > 1:
            some = ", ".join(one.run_id for one in found[:4]) + (", …" if len(found) > 4 else "")
            raise UsageError(
                f"{len(found)} runs have ids beginning with {prefix!r}: {some}", "type more characters of the id"
            )
        return found[0]

    def get_all(self, prefixes: Sequence[str]) -> tuple[Entry, ...]:
        """Those that :meth:`get` finds for each of ``prefixes``, in that order, each once.

        Raises:
            NotFoundError, UsageError, IntegrityError, OSError: as for :meth:`get`.
        """
        return tuple({entry.run_id: entry for entry in map(self.get, prefixes)}.values())

    def entries(
        self, *, kind: str | None = None, model: str | None = None, limit: int | None = None
    ) -> tuple[Entry, ...]:
        """Those of ``kind`` and ``model`` (in any case, with or without quant), the newest first, at most ``limit``.

        Without a file, and in one that is empty, there are none.

        Raises:
            IntegrityError: the file is damaged, or no history of this version of phi.
            PhiError: another process had it for too long.
            OSError: it cannot be read.
        """
        tests: list[str] = []
        values: list[Any] = []
        if kind is not None:
            tests.append("kind = ?")
            values.append(kind)
        if model is not None:
            tests.append("lower(model) = lower(?) OR lower(model || ':' || coalesce(quant, '')) = lower(?)")
            values += [_storable(model)] * 2
        where = "WHERE " + " AND ".join(f"({test})" for test in tests) if tests else ""
        return self._select(where, values, limit)

    def parts(self, names: Sequence[str], *, kinds: Sequence[str], cpu: str, build: str) -> Iterator[Entry]:
        """Those of ``kinds`` from the processor ``cpu`` and the engine ``build``, the newest first.

        Only the values ``names`` (two or more) are in their data, None for what is not there: reading all of the data
        of thousands of entries takes several times as long. Entries that are damaged are left out.

        Raises:
            IntegrityError, PhiError, OSError: as for :meth:`entries`.
        """
        paths = ", ".join(f"'$.{name}'" for name in names)
        columns = _COLUMNS.replace(", data", f", json_extract(data, {paths})")
        where = f"WHERE kind IN ({', '.join('?' * len(kinds))}) AND cpu = ? AND build = ? AND json_valid(data)"
        for row in self._rows(columns, where, (*kinds, _storable(cpu), build)):
            run_id, made_at, kind, model, quant, engine, _, _, values = row
            data = dict(zip(names, json.loads(values), strict=True))
            yield Entry(run_id, made_at, kind, model, quant, engine, build, cpu, data)

    def _select(self, where: str, values: Sequence[Any], limit: int | None = None) -> tuple[Entry, ...]:
        return tuple(self._entry(row) for row in self._rows(_COLUMNS, where, values, limit))

    def _rows(self, columns: str, where: str, values: Sequence[Any], limit: int | None = None) -> list[tuple[Any, ...]]:
        text = f"SELECT {columns} FROM runs {where} {_ORDER} LIMIT ?"  # noqa: S608
        given = (*values, -1 if limit is None else limit)
        nothing: list[tuple[Any, ...]] = []
        return self._file.read(lambda connection: connection.execute(text, given).fetchall(), nothing)

    def _entry(self, row: tuple[Any, ...]) -> Entry:
        try:
            data = json.loads(row[-1])
        except (ValueError, TypeError, RecursionError):
            data = None
        if not isinstance(data, dict) or not all(isinstance(one, str) for one in row if one is not None):
            raise unreadable(self.path, _FORM, f"the data of run {row[0]} cannot be read")
        run_id, made_at, kind, model, quant, engine, build, cpu = row[:-1]
        return Entry(run_id, made_at, kind, model, quant, engine, build, cpu, data)


def _row(entry: Entry) -> tuple[str | None, ...]:
    """The columns of ``entry``.

    Raises:
        ValueError: its data cannot be JSON.
    """
    about = (entry.run_id, entry.made_at, entry.kind, entry.model, entry.quant, entry.engine, entry.build, entry.cpu)
    return (*(text and _storable(text) for text in about), json.dumps(dict(entry.data), allow_nan=False))


def _storable(text: str) -> str:
    """``text`` as it is saved: names of files may not be valid text."""
    return text.encode(errors="replace").decode()


def kind_of(word: str | None) -> str | None:
    """One of :data:`KINDS` as somebody typed it, in any case; None for None.

    Raises:
        UsageError: there is no such kind.
    """
    if word is not None and word.lower() not in KINDS:
        raise UsageError(f"--kind {word} is unknown", f"choose one of {', '.join(KINDS)}")
    return None if word is None else word.lower()


def entry_of(run: Run) -> Entry:
    """``run`` as the history saves it."""
    cpu = str(run.hardware.get("cpu") or "")
    return entry_about(run.subject, "run", run.to_data(), cpu=cpu, run_id=run.run_id, made_at=run.made_at)


def entry_about(
    subject: Subject, kind: str, data: Mapping[str, Any], *, cpu: str, run_id: str | None = None,
    made_at: str | None = None,
) -> Entry:  # fmt: skip
    """What was measured of ``subject`` as the history saves it; by default with a new id and the current time."""
    return Entry(
        run_id or new_run_id(), made_at or now(), kind, subject.model, subject.quant, subject.engine, subject.build,
        cpu, data,
    )  # fmt: skip
