"""Asks the questions of an evaluation, several at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from phicli.bench.evaluation.journal import Journal
from phicli.bench.evaluation.types import Ask, Item, ItemResult


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an evaluation is; ``left_s`` is None before the first reply of this sitting."""

    done: int
    total: int
    right: int
    left_s: float | None


def evaluate(
    items: Sequence[Item],
    ask: Ask,
    journal: Journal,
    *,
    slots: int,
    stop: Callable[[], None],
    on_progress: Callable[[Progress], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Ask what ``journal`` has no reply to yet, ``slots`` questions at a time, and keep each reply as it comes.

    Args:
        items: the questions.
        ask: asks one of them; called from ``slots`` threads.
        journal: has the replies of earlier sittings, and gets the new ones.
        slots: questions at a time.
        stop: makes calls of ``ask`` that are under way fail soon; called before an error or Ctrl-C goes on.
        on_progress: told after each reply, in the thread that called.
        clock: seconds; tests give their own.

    Raises:
        PhiError: what ``ask`` raised, which ends it all; the replies so far are kept.
        KeyboardInterrupt: the same.
    """
    waiting = [item for item in items if item.item_id not in journal.answers]
    right = sum(result.verdict.right for result in results_of(items, journal))
    started, first = clock(), len(items) - len(waiting)
    pool = ThreadPoolExecutor(max_workers=slots, thread_name_prefix="phi-eval")
    try:
        asked = {pool.submit(ask, item): item for item in waiting}
        for number, future in enumerate(as_completed(asked), 1):
            item, elapsed_s = asked[future], clock() - started
            reply = future.result()
            journal.add(item.item_id, reply, elapsed_s)
            right += item.verdict_on(reply).right
            if on_progress is not None:
                left_s = elapsed_s / number * (len(waiting) - number)
                on_progress(Progress(first + number, len(items), right, left_s))
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        stop()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def results_of(items: Sequence[Item], journal: Journal) -> tuple[ItemResult, ...]:
    """The replies that ``journal`` has, judged, in the order of ``items``, whatever order they came in."""
    answers = [(item, journal.answers[item.item_id].reply) for item in items if item.item_id in journal.answers]
    return tuple(ItemResult(item, reply, item.verdict_on(reply)) for item, reply in answers)


def wall_seconds(items: Sequence[Item], journal: Journal) -> float:
    """Seconds that asking took, over all sittings: each to the end of its last reply to one of ``items``."""
    last: dict[int, float] = {}
    for item in items:
        if (answered := journal.answers.get(item.item_id)) is not None:
            last[answered.sitting] = max(last.get(answered.sitting, 0.0), answered.elapsed_s)
    return sum(last.values())
