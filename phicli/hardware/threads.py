"""Says when more threads are asked for than the machine can run at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def notice_threads(threads: Iterable[int], say: Callable[[str], None]) -> None:
    """Call ``say`` with one line where one of ``threads`` is above the number of logical processors."""
    most = max(threads, default=0)
    if not most:
        return
    from phicli.hardware.cpu import usable_processors

    here = len(usable_processors())
    if most > here:
        those = "1 logical processor" if here == 1 else f"{here} logical processors"
        say(f"{most} threads are more than the {those} available here: they wait for each other, which is slow")
