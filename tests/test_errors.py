"""Errors that several parts of the product make in the same words."""

from __future__ import annotations

import errno

import pytest

from phicli.errors import disk_full, is_disk_full


def test_a_full_disk_and_a_full_quota_are_the_same_to_people() -> None:
    assert is_disk_full(OSError(errno.ENOSPC, "No space left on device"))
    assert is_disk_full(OSError(getattr(errno, "EDQUOT", errno.ENOSPC), "Disk quota exceeded"))
    assert not is_disk_full(OSError(errno.EACCES, "Permission denied"))
    assert not is_disk_full(OSError("no number"))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (disk_full(), "the disk is full"),
        (disk_full("/cache"), "the disk of /cache is full"),
        (disk_full(after=": standard output"), "the disk is full: standard output"),
        (disk_full("a.svg", before="there is no plot: "), "there is no plot: the disk of a.svg is full"),
    ],
)
def test_words_for_a_full_disk(error: Exception, message: str) -> None:
    assert str(error) == message
    assert disk_full().hint == "free some space and run it again"
    assert disk_full().exit_code == 5
