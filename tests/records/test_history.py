from __future__ import annotations

import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.bench.runs.run_files import run_of
from phicli.errors import IntegrityError, NotFoundError, UsageError
from phicli.records.history import History, entry_of, kind_of
from phicli.records.run_ids import new_run_id, now
from tests.support.runs import ENTRY, entry, run


def test_what_is_kept_is_found_again(kept: History) -> None:
    made = entry_of(run())
    kept.add(made)
    assert kept.entries() == (made,)
    again = run_of(kept.get(made.run_id))
    assert replace(again, hardware=dict(run().hardware)) == replace(run(), hardware=dict(run().hardware))
    assert made.cpu == run().hardware["cpu"]


def test_data_of_any_language_and_depth(kept: History) -> None:
    made = replace(
        ENTRY, quant=None, model="Ünïcode \U0001f600 '); DROP TABLE runs; --", data={"a": [{"b": None}, "é\0"]}
    )
    kept.add(made)
    assert kept.entries(model=made.model) == (made,)


def test_names_of_files_that_are_no_text(kept: History) -> None:
    made = replace(ENTRY, model="/models/\udcff.gguf", data={"path": "/models/\udcff.gguf"})
    kept.add(made)
    assert kept.entries() == (replace(made, model="/models/?.gguf"),)
    assert kept.entries(model="/models/\udcff.gguf") == kept.entries(), "what was typed finds what was kept"
    with pytest.raises(NotFoundError):
        kept.get("\udcff")


def test_the_newest_come_first(kept: History) -> None:
    for number in (2, 0, 3, 1):
        kept.add(entry(number))
    assert [one.run_id for one in kept.entries()] == ["run03", "run02", "run01", "run00"]
    assert [one.run_id for one in kept.entries(limit=2)] == ["run03", "run02"]
    assert kept.entries(limit=0) == ()
    assert kept.get("last").run_id == "run03"


def test_those_of_a_kind_or_model(kept: History) -> None:
    for number, kind, model, quant in (
        (0, "run", "phi-4", "Q8_0"),
        (1, "eval", "phi-4", None),
        (2, "run", "o/r", "F16"),
    ):
        kept.add(entry(number, kind=kind, model=model, quant=quant))
    assert [one.run_id for one in kept.entries(kind="run")] == ["run02", "run00"]
    assert [one.run_id for one in kept.entries(model="PHI-4")] == ["run01", "run00"]
    assert [one.run_id for one in kept.entries(model="phi-4:q8_0")] == ["run00"]
    assert [one.run_id for one in kept.entries(kind="eval", model="phi-4", limit=5)] == ["run01"]
    assert kept.entries(kind="eval", model="o/r") == kept.entries(model="phi-4%") == ()


def test_an_id_by_its_beginning(kept: History) -> None:
    for name in ("aab", "aac", "aabc", "b_c"):
        kept.add(replace(ENTRY, run_id=name))
    assert kept.get("B").run_id == "b_c"
    assert kept.get("aab").run_id == "aab", "all of an id is never ambiguous"
    with pytest.raises(UsageError, match=r"3 runs have ids beginning with 'aa': .*aab") as ambiguous:
        kept.get("aa")
    assert "more" in ambiguous.value.hint
    for wrong in ("zz", "", "  ", "%", "b%", "___"):
        with pytest.raises(NotFoundError):
            kept.get(wrong)


def test_the_same_id_is_replaced(kept: History) -> None:
    kept.add(ENTRY)
    kept.add(replace(ENTRY, data={"a": 2}))
    assert [one.data for one in kept.entries()] == [{"a": 2}]


def test_without_a_history_there_are_no_entries(kept: History) -> None:
    assert kept.entries() == ()
    with pytest.raises(NotFoundError) as nothing:
        kept.get("last")
    assert "phi bench" in nothing.value.hint
    assert not kept.path.parent.exists(), "looking makes nothing"
    kept.path.parent.mkdir()
    kept.path.touch()
    assert kept.entries() == ()
    kept.add(ENTRY)
    assert kept.entries() == (ENTRY,)


def test_it_lies_under_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHI_HOME", str(tmp_path))
    History().add(ENTRY)
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["runs.sqlite"], "no second file stays beside it"


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"{}", b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_file_that_is_no_database(kept: History, content: bytes) -> None:
    kept.path.parent.mkdir()
    kept.path.write_bytes(content)
    for use in (kept.entries, lambda: kept.add(ENTRY), lambda: kept.get("last")):
        with pytest.raises(IntegrityError) as damaged:
            use()
        assert str(kept.path) in damaged.value.message
        assert f"{kept.path}.damaged" in damaged.value.hint
    assert kept.path.read_bytes() == content, "what could be rescued is not touched"
    warning = kept.try_add(ENTRY)
    assert warning is not None
    assert ".damaged" in warning


def test_a_database_whose_pages_are_damaged(kept: History) -> None:
    for number in range(40):
        kept.add(entry(number, data={"text": "x" * 3000}))
    content = bytearray(kept.path.read_bytes())
    content[4096:-4096] = os.urandom(len(content) - 8192)
    kept.path.write_bytes(content)
    with pytest.raises(IntegrityError, match="cannot be read"):
        kept.entries()


def test_an_entry_that_is_damaged(kept: History) -> None:
    kept.add(ENTRY)
    with sqlite3.connect(kept.path) as raw:
        raw.execute("UPDATE runs SET data = '{\"a\": '")
    raw.close()
    with pytest.raises(IntegrityError, match=ENTRY.run_id):
        kept.entries()


@pytest.mark.parametrize("statement", ["CREATE TABLE other (x)", "CREATE TABLE runs (x)", "PRAGMA user_version = 1"])
def test_a_database_of_something_else(kept: History, statement: str) -> None:
    kept.path.parent.mkdir()
    raw = sqlite3.connect(kept.path)
    raw.execute(statement)
    raw.commit()
    raw.close()
    before = kept.path.read_bytes()
    for use in (kept.entries, lambda: kept.add(ENTRY)):
        with pytest.raises(IntegrityError, match="of another program"):
            use()
    assert kept.path.read_bytes() == before


def test_a_history_of_a_newer_version(kept: History) -> None:
    kept.add(ENTRY)
    raw = sqlite3.connect(kept.path)
    raw.execute("PRAGMA user_version = 7")
    raw.close()
    with pytest.raises(IntegrityError, match="newer phi") as newer:
        kept.add(entry(1))
    assert "upgrade" in newer.value.hint
    assert f"{kept.path}.newer" in newer.value.hint


def test_a_folder_in_its_place(kept: History) -> None:
    kept.path.mkdir(parents=True)
    for use in (kept.entries, lambda: kept.add(ENTRY)):
        with pytest.raises(IntegrityError, match="not a regular file") as folder:
            use()
        assert f"{kept.path}.damaged" in folder.value.hint
    warning = kept.try_add(ENTRY)
    assert warning is not None
    assert str(kept.path) in warning


def test_numbers_that_are_no_json(kept: History) -> None:
    with pytest.raises(ValueError, match="JSON"):
        kept.add(replace(ENTRY, data={"tps": float("nan")}))
    assert kept.try_add(replace(ENTRY, data={"tps": float("inf")}))
    assert kept.try_add(ENTRY) is None
    assert len(kept.entries()) == 1


def test_ids_are_short_sort_by_time_and_never_come_twice() -> None:
    found = [new_run_id() for _ in range(2000)]
    assert len(set(found)) == 2000
    assert [name[:7] for name in found] == sorted(name[:7] for name in found)
    assert len({name[:7] for name in found}) == 2000
    assert all(len(name) == 10 and name.isascii() and name.isalnum() and name == name.lower() for name in found)
    assert not any(letter in name for name in found for letter in "ilou"), "so that none can be the word last"


def test_the_time_is_utc_in_seconds() -> None:
    assert now().endswith("+00:00")
    assert len(now()) == len("2026-11-22T10:00:00+00:00")


def test_kinds() -> None:
    assert (kind_of(None), kind_of("Eval")) == (None, "eval")
    with pytest.raises(UsageError, match="nonsense"):
        kind_of("nonsense")


def test_entries_are_removed_all_at_once(kept: History) -> None:
    assert kept.remove(["run01"]) == 0
    assert not kept.path.exists(), "removing makes nothing"
    for number in range(4):
        kept.add(entry(number))
    assert kept.remove(["run01", "run03", "none"]) == 2
    assert [one.run_id for one in kept.entries()] == ["run02", "run00"]
    assert kept.remove([]) == 0


def test_an_update_sees_all_and_saves_all_or_nothing(kept: History) -> None:
    kept.add(entry(1))
    assert kept.update(lambda entries: [*entries, entry(2), replace(entry(1), model="other")]) == 3
    assert [one.model for one in kept.entries()] == ["phi-4-mini", "other"]
    with pytest.raises(ValueError, match="JSON"):
        kept.update(lambda _: [entry(3), entry(4, data={"tps": float("nan")})])
    assert len(kept.entries()) == 2


def test_those_of_a_processor_and_a_build(kept: History) -> None:
    kept.add(entry(1))
    kept.add(entry(2, build="2"))
    kept.add(entry(3, kind="tune"))
    kept.add(entry(4, kind="eval"))
    kept.add(entry(5, cpu="other"))
    found = list(kept.parts(("a", "b"), kinds=("run", "tune"), cpu="CPU", build="1"))
    assert [one.run_id for one in found] == ["run03", "run01"]
    assert found[1] == replace(entry(1), data={"a": 1, "b": None})
    assert list(kept.parts(("a", "b"), kinds=("run",), cpu="\udcff", build="1")) == []
