"""The replies to the questions of one evaluation, saved as they come (:mod:`phicli.jobs.journal`).

One file an evaluation, named after a hash of everything that the replies depend on. Questions that failed are asked
again next time: what failed with this memory and this engine may not fail then.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from phicli.bench.evaluation.expected import Expected
from phicli.bench.evaluation.types import Answered, Item, ItemResult, Reply
from phicli.jobs.journal import Journal
from phicli.paths import state_dir

_STALE_S: Final = 90 * 24 * 3600


def replies_dir() -> Path:
    """Where the replies are. Not created here."""
    return state_dir() / "evals"


class Replies:
    """The replies to ``items``, and how probable the expected answers are.

    Those that the journal has are there from the beginning. In it the expected answers are numbered behind the replies.

    Args:
        items: the questions that are asked.
        journal: of the evaluation, entered.
        of: how many questions there are with those that are not asked now.
    """

    def __init__(self, items: Sequence[Item], journal: Journal, of: int) -> None:
        self.items, self.journal, self._of = items, journal, of
        self._answers: dict[int, Answered] = {}
        self._expected: dict[int, Expected] = {}
        for one in journal.all():
            with contextlib.suppress(ValueError):
                if one.number < len(items):
                    self._answers[one.number] = Answered(Reply.from_data(one.result), one.sitting, one.elapsed_s)
                elif of <= one.number < of + len(items):
                    self._expected[one.number - of] = Expected.from_data(one.result)
        self.right = sum(result.verdict.right for result in self.results())

    def __len__(self) -> int:
        return len(self._answers)

    @property
    def missing(self) -> tuple[int, ...]:
        """The numbers of the questions without a reply."""
        return tuple(number for number in range(len(self.items)) if number not in self._answers)

    @property
    def unread(self) -> tuple[int, ...]:
        """The numbers of the questions with an expected answer whose probability is not known yet."""
        return tuple(
            number for number, item in enumerate(self.items) if item.talk is not None and number not in self._expected
        )

    @property
    def read(self) -> int:
        """How many probabilities of expected answers are known."""
        return len(self._expected)

    @property
    def sittings(self) -> int:
        """In how many sittings the replies came."""
        return len({answered.sitting for answered in self._answers.values()})

    @property
    def wall_s(self) -> float:
        """Seconds that asking took, over all sittings: each to the end of its last reply."""
        last: dict[int, float] = {}
        for answered in self._answers.values():
            last[answered.sitting] = max(last.get(answered.sitting, 0.0), answered.elapsed_s)
        return sum(last.values())

    def add(self, number: int, reply: Reply, elapsed_s: float) -> None:
        """Save a reply of this sitting; ``elapsed_s`` as in :class:`~phicli.bench.evaluation.types.Answered`."""
        self.journal.add(number, reply.to_data(), elapsed_s, failed=reply.failed)
        self._answers[number] = Answered(reply, self.journal.sitting, elapsed_s)
        self.right += self.items[number].verdict_on(reply).right

    def add_expected(self, number: int, expected: Expected, elapsed_s: float) -> None:
        """Save how probable an expected answer is; ``elapsed_s`` is from the first one that was read."""
        self.journal.add(self._of + number, expected.to_data(), elapsed_s, failed=expected.failed)
        self._expected[number] = expected

    def results(self) -> tuple[ItemResult, ...]:
        """The replies, judged, in the order of the questions, whatever order they came in."""
        found = [(number, self.items[number], self._answers[number].reply) for number in sorted(self._answers)]
        return tuple(
            ItemResult(item, reply, item.verdict_on(reply), self._expected.get(number)) for number, item, reply in found
        )


@contextlib.contextmanager
def replies_to(
    items: Sequence[Item], about: Mapping[str, Any], *, of: int | None = None, restart: bool = False,
    folder: Path | None = None,
) -> Iterator[Replies]:  # fmt: skip
    """The replies to ``items``; within the context no other process adds to them.

    Replies are removed three months after the last one.

    Args:
        items: the questions that are asked.
        about: everything that the replies depend on.
        of: how many questions there are with those that are not asked now; None where these are all.
        restart: ask all again.
        folder: where the file is; :func:`replies_dir` when None.

    Raises:
        UsageError: another process is asking the same questions.
    """
    folder = replies_dir() if folder is None else folder
    _remove_stale(folder)
    key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    of = len(items) if of is None else of
    most = 2 * of if any(item.talk is not None for item in items) else of
    with Journal(
        folder / f"{key[:32]}.jsonl", about, items=most, restart=restart,
        retry_failed=True, replaces=True, accepts=_is_result, busy="another phi process is asking this model the same "
        "questions",
    ) as journal:  # fmt: skip
        yield Replies(items, journal, of)


def _is_result(data: Mapping[str, Any]) -> bool:
    for kind in (Reply, Expected):
        with contextlib.suppress(ValueError):
            kind.from_data(data)
            return True
    return False


def _remove_stale(folder: Path) -> None:
    for path in folder.glob("*.jsonl"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _STALE_S:
                path.unlink()
                for name in (path.with_name(f"{path.name}.lock"), path.with_suffix(".lock")):  # the latter of old ones
                    name.unlink(missing_ok=True)
