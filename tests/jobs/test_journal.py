"""Results that are saved as they come."""

from __future__ import annotations

from pathlib import Path

import pytest

from phicli.errors import UsageError
from phicli.jobs.journal import Journal, OtherJobError

ABOUT = {"input": "abc", "model": "m"}


def test_a_job_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "out.journal"
    with Journal(path, ABOUT) as first:
        first.begin({"slots": 4})
        first.add(2, {"text": "two"}, 0.5)
        first.add(0, {"text": "zero"}, 0.7, failed=True)
    with Journal(path, ABOUT) as second:
        assert (len(second), second.sitting, second.settings) == (2, 2, {"slots": 4})
        assert (0 in second, 1 in second, 2 in second) == (True, False, True)
        assert second.failed == {0}
        second.add(1, {"text": "one"}, 0.1)
        assert [one.result["text"] for one in second.all()] == ["zero", "one", "two"]


def test_failed_results_can_be_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "out.journal"
    with Journal(path, ABOUT) as journal:
        journal.add(0, {}, 0.1, failed=True)
        journal.add(1, {}, 0.1)
    with Journal(path, ABOUT, retry_failed=True) as journal:
        assert (0 in journal, 1 in journal, len(journal)) == (False, True, 1)
        journal.add(0, {"text": "now"}, 0.2)
    with Journal(path, ABOUT) as journal:
        assert (journal.get(0).result, journal.failed, len(journal)) == ({"text": "now"}, frozenset(), 2)


@pytest.mark.parametrize("cut", range(1, 60))
def test_a_torn_line_is_left_out(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "out.journal"
    with Journal(path, ABOUT) as journal:
        journal.add(0, {"text": "zero"}, 0.1)
        journal.add(1, {"text": "one"}, 0.1)
    path.write_bytes(path.read_bytes()[:-cut])
    with Journal(path, ABOUT) as journal:
        assert (0 in journal, 1 in journal) == (True, False)
        journal.add(1, {"text": "again"}, 0.1)
    with Journal(path, ABOUT) as journal:
        assert [one.result["text"] for one in journal.all()] == ["zero", "again"]


def test_the_results_of_another_job_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "out.journal"
    with Journal(path, ABOUT) as journal:
        journal.add(0, {}, 0.1)
    with pytest.raises(OtherJobError) as caught, Journal(path, {**ABOUT, "model": "n"}):
        pass
    assert caught.value.differs == ("model",)
    with Journal(path, {**ABOUT, "model": "n"}, restart=True) as journal:
        assert len(journal) == 0


def test_two_processes_cannot_work_on_one_job(tmp_path: Path) -> None:
    path = tmp_path / "out.journal"
    with Journal(path, ABOUT), pytest.raises(UsageError, match="another phi process"), Journal(path, ABOUT):
        pass
