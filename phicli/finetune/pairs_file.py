"""Tokenized examples in a file: one line of numbers each, first where the answer begins. Read when they are needed."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from phicli.finetune.examples import TrainingPair


class PairsFile:
    """The examples of a file; the memory needed is 16 bytes for each."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._offsets, self.lengths, self.learned = array("q"), array("i"), array("i")
        at = 0
        for line in self._file:
            start, _, _ = line.partition(b" ")
            self._offsets.append(at)
            self.lengths.append(line.count(b" "))
            self.learned.append(self.lengths[-1] - int(start))
            at += len(line)

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, number: int) -> TrainingPair:
        self._file.seek(self._offsets[number])
        start, *ids = map(int, self._file.readline().split())
        return TrainingPair(tuple(ids), start)

    def __enter__(self) -> PairsFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def write_pairs(path: Path, pairs: Iterable[TrainingPair]) -> int:
    """Write the examples; returns how many there are.

    Raises:
        OSError: the file cannot be written.
    """
    count = 0
    with path.open("wb") as file:
        for count, pair in enumerate(pairs, 1):  # noqa: B007 (the last number is the result)
            file.write(b"%d %s\n" % (pair.start, " ".join(map(str, pair.ids)).encode()))
    return count
