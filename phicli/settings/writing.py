"""Changes one key of the file and leaves the rest of its text as somebody wrote it: order, comments, blank lines."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from phicli.errors import NotFoundError, PhiError, UsageError
from phicli.paths import state_dir, write_atomically, write_output
from phicli.settings.file import SettingsFile, did_you_mean, make_folder, parse, read_settings
from phicli.settings.key import KeyPath
from phicli.settings.lines import Statement, statements, toml, written

_LOCK_WAIT_S = 10.0


def set_value(path: Path, key: KeyPath, value: Any) -> None:
    """Give ``key`` of the file at ``path`` a ``value``: a text, number, boolean, or a list of texts. The file is made.

    Raises:
        UsageError: the file cannot be read, or the key is inside an inline table.
        UsageError: there is no home folder.
        PhiError: another process keeps the file.
        OSError: it cannot be written; what was there before is still there.
    """
    with _alone(path):
        file = read_settings(path)
        _write(file, key, _set(_lines(file), key, toml(value)), _with(file.tables, key, value))


def set_table(path: Path, table: KeyPath, values: Mapping[str, Any]) -> None:
    """Make ``table`` of the file at ``path`` hold exactly these ``values``. The file is made, for its owner alone.

    Keys that the table has keep their places and comments.

    Raises:
        UsageError, PhiError, OSError: as for :func:`set_value`.
    """
    with _alone(path):
        file = read_settings(path)
        before = file.value(table)
        text, expected = _lines(file), file.tables
        if before is not None and not isinstance(before, Mapping):
            text, expected, before = _removed(text, table), _with(expected, table, None), None
        for name in before or ():
            if name not in values:
                text, expected = _removed(text, (*table, name)), _with(expected, (*table, name), None)
        for name, value in values.items():
            text, expected = _set(text, (*table, name), toml(value)), _with(expected, (*table, name), value)
        if file.text is None:
            write_atomically(path, b"")
        _write(file, table, text, expected)


def remove_key(path: Path, key: KeyPath) -> Any:
    """Remove ``key``, or a whole table, from the file at ``path``; returns the value that it had.

    Raises:
        NotFoundError: the file does not have it.
        UsageError, PhiError, OSError: as for :func:`set_value`.
    """
    with _alone(path):
        file = read_settings(path)
        value = file.value(key)
        if value is None:
            meant = did_you_mean(written(key), map(written, _keys(file.tables)))
            raise NotFoundError(
                f"{written(key)} is not set in {path}", meant or "see the current settings: phi config list"
            )
        _write(file, key, _removed(_lines(file), key), _with(file.tables, key, None))
        return value


def _lines(file: SettingsFile) -> str:
    """The text with line breaks of one kind."""
    return (file.text or "").replace("\r\n", "\n")


def _set(text: str, key: KeyPath, value: str) -> str:
    known = list(statements(text))
    here = next((one for one in known if one.key == key and not one.is_header), None)
    if here is not None:
        return f"{text[: here.value]}{value}{text[here.end :]}"
    table = key[:-1]
    near = [one for one in known if one.table == table] or [
        one for one in known if one.key[:-1] == table and not one.is_header
    ]
    if near:
        return _behind(text, near[-1], f"{written(key[len(near[-1].table) :])} = {value}")
    if table:
        gap = "" if not text.strip() else "\n" if text.endswith("\n") else "\n\n"
        return f"{text}{gap}[{written(table)}]\n{written(key)[len(written(table)) + 1 :]} = {value}\n"
    at = _comment_above(text, known[0].start) if known else len(text)
    gap = "\n" if text[:at] and not text[:at].endswith("\n") else ""
    return f"{text[:at]}{gap}{written(key)} = {value}\n" + (f"\n{text[at:]}" if text[at:] else "")


def _behind(text: str, statement: Statement, line: str) -> str:
    """``text`` with a ``line`` below ``statement``, indented like it."""
    at = text.find("\n", statement.end)
    at = len(text) if at < 0 else at + 1
    begins = text.rfind("\n", 0, statement.start) + 1
    gap = "" if text[:at].endswith("\n") else "\n"
    return f"{text[:at]}{gap}{text[begins : statement.start]}{line}\n{text[at:]}"


def _removed(text: str, key: KeyPath) -> str:
    """``text`` without the statements of ``key``, and without what is in its tables."""
    known = list(statements(text))
    kept, at, place = "", 0, 0
    while place < len(known):
        one, place = known[place], place + 1
        if one.key[: len(key)] != key:
            continue
        begins, ends = text.rfind("\n", 0, one.start) + 1, text.find("\n", one.end) + 1 or len(text)
        if one.is_header:
            while place < len(known) and known[place].key[: len(key)] == key:
                place += 1
            begins = _comment_above(text, one.start)
            ends = _comment_above(text, known[place].start) if place < len(known) else len(text)
        kept, at = kept + text[at:begins], ends
    kept += text[at:]
    return kept.rstrip("\n") + "\n" if kept.strip() else ""


def _comment_above(text: str, at: int) -> int:
    """Where the lines of comments that stand directly above the statement at ``at`` begin; its own line without any."""
    begins = text.rfind("\n", 0, at) + 1
    while begins:
        above = text.rfind("\n", 0, begins - 1) + 1
        if not text[above:begins].lstrip().startswith("#"):
            break
        begins = above
    return begins


def _write(file: SettingsFile, key: KeyPath, text: str, expected: Mapping[str, Any]) -> None:
    """Write ``text`` when it says what is ``expected``.

    Raises:
        UsageError: it does not: the key is written in a way that cannot be changed here.
    """
    with contextlib.suppress(UsageError):
        if _pruned(parse(file.path, text).tables) == _pruned(expected):
            ends = "\r\n" if "\r\n" in (file.text or "") else "\n"
            write_output(file.path, text.replace("\n", ends).encode())
            return
    raise UsageError(
        f"{file.place(key)}: {written(key)} cannot be changed here, because of how its table is written",
        "change it in an editor: phi config edit",
    )


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes from changing the file meanwhile, where locks can be had; its folder is made."""
    from filelock import FileLock, Timeout

    make_folder(path)
    lock = FileLock(state_dir() / "settings.lock", timeout=_LOCK_WAIT_S)
    with contextlib.suppress(OSError, NotImplementedError):
        state_dir().mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            lock.acquire()
        except Timeout:
            raise PhiError(
                "another phi process is changing the settings", "wait for it to end, then run the command again"
            ) from None
    try:
        yield
    except RecursionError:
        raise UsageError(f"{path} is nested too deeply", "change it in an editor: phi config edit") from None
    finally:
        lock.release()


def _with(tables: Mapping[str, Any], key: KeyPath, value: Any) -> dict[str, Any]:
    """A copy of ``tables`` with ``value`` for ``key``, without it for None."""
    name, inner = key[0], key[1:]
    changed = {other: tables[other] for other in tables if other != name}
    if inner:
        below = tables.get(name)
        return changed | {name: _with(below if isinstance(below, Mapping) else {}, inner, value)}
    return changed if value is None else changed | {name: value}


def _pruned(tables: Mapping[str, Any]) -> dict[str, Any]:
    """``tables`` without empty ones: an empty table says nothing."""
    kept = {name: _pruned(value) if isinstance(value, Mapping) else value for name, value in tables.items()}
    return {name: value for name, value in kept.items() if value != {}}


def _keys(tables: Mapping[str, Any], above: KeyPath = ()) -> Iterator[KeyPath]:
    for name, value in tables.items():
        yield (*above, name)
        if isinstance(value, Mapping):
            yield from _keys(value, (*above, name))
