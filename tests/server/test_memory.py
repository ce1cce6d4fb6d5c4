"""The memory that engines leave for another one: weights that are mapped count once, promises count in full."""

from __future__ import annotations

import os

import pytest

from phicli.fit.memory import usable_bytes
from phicli.hardware.available import Memory
from phicli.server.memory import Ledger, Share, anonymous_bytes, resident

MIB = 1 << 20
GIB = 1 << 30


def ledger(available: int = 20 * GIB, **own: int) -> Ledger:
    """A machine of 24 GiB; ``own`` is what processes hold, by their ids (``p1``)."""
    held = {int(name[1:]): size for name, size in own.items()}
    return Ledger(lambda: Memory(24 * GIB, available, "test"), lambda pid: held.get(pid, 0))


def left(book: Ledger) -> int:
    memory = book.beside(book.measured())
    assert memory is not None
    return memory.available_bytes


def alone(book: Ledger) -> int:
    measured = book.measured()
    assert measured is not None
    return measured.alone.available_bytes


def test_without_engines_all_is_left() -> None:
    book = ledger()
    assert left(book) == 20 * GIB
    assert alone(book) == 20 * GIB


def test_mapped_weights_are_taken_though_the_system_calls_them_available() -> None:
    book = ledger()
    book.admit(Share("a", 3 * GIB, 0, pid=1), None)
    assert left(book) == 17 * GIB


def test_weights_of_one_file_count_once() -> None:
    book = ledger()
    book.admit(Share("a", 3 * GIB, GIB), None)
    assert book.maps("a")
    assert not book.maps("b")
    book.admit(Share("a", 3 * GIB, GIB), None)
    assert left(book) == 15 * GIB
    book.admit(Share("b", 3 * GIB, 0), None)
    assert left(book) == 12 * GIB


def test_what_an_engine_holds_already_is_not_subtracted_again() -> None:
    book = ledger(p1=GIB)
    share = Share("a", 0, 3 * GIB, pid=1)
    book.admit(share, None)
    assert left(book) == 18 * GIB
    assert alone(book) == 21 * GIB
    book.remove(share)
    book.remove(share)
    assert left(book) == 20 * GIB


def test_more_than_was_promised_is_nothing_that_could_be_given_away() -> None:
    book = ledger(p1=3 * GIB)
    book.admit(Share("a", 0, GIB, pid=1), None)
    assert left(book) == 20 * GIB


def test_no_more_is_left_than_the_machine_has_and_no_less_than_nothing() -> None:
    book = ledger(23 * GIB, p1=10 * GIB)
    book.admit(Share("a", 40 * GIB, GIB, pid=1), None)
    assert left(book) == 0
    assert alone(book) == 24 * GIB


def test_an_engine_is_admitted_when_it_fits_and_only_then() -> None:
    book = ledger(4 * GIB)
    measured = book.measured()
    memory = book.beside(measured)
    assert memory is not None
    usable = usable_bytes(memory)
    assert not book.admit(Share("a", GIB, usable - GIB + 1), measured)
    assert book.admit(Share("a", GIB, usable - GIB - 64 * MIB), measured)
    assert not book.admit(Share("b", 0, GIB), measured)
    assert book.admit(Share("a", GIB, 16 * MIB), measured), "its weights are mapped already"


def test_a_machine_that_does_not_tell_refuses_nothing() -> None:
    for book in (Ledger(None), Ledger(lambda: None)):
        measured = book.measured()
        assert measured is None
        assert book.admit(Share("a", 1 << 60, 1 << 60), measured)
        assert book.beside(measured) is None


def test_the_memory_of_this_process_is_told() -> None:
    total, own = resident(os.getpid())
    assert total > own > MIB or pytest.skip("this system tells no anonymous part")
    assert anonymous_bytes(os.getpid()) > MIB
    assert resident(1 << 22) == (0, 0)
