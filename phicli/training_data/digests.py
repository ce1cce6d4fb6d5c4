"""Which examples are equal: 16 bytes for each line, compared at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIZE: Final = 16
_NONE: Final = bytes(SIZE)


def joined_texts(example: Any) -> str:
    """A text that is the same for equal values, whatever the order of their keys, and in which all texts occur.

    Each text has its length in front of it, so that no two values have the same.
    """
    parts: list[str] = []
    _join(example, parts)
    return "\n".join(parts)


def digest_of(joined: str) -> bytes:
    """128 bits of what :func:`joined_texts` returned.

    Raises:
        UnicodeEncodeError: it has half of a surrogate pair.
    """
    return blake2b(joined.encode(), digest_size=SIZE).digest()


def digest_of_halves(joined: str) -> bytes:
    """The same for one with halves of surrogate pairs."""
    return blake2b(joined.encode("utf-8", "surrogatepass"), digest_size=SIZE).digest()


def _join(value: Any, parts: list[str]) -> None:
    kind = type(value)
    if kind is str:
        parts.append(str(len(value)))
        parts.append(value)
    elif kind is dict:
        parts.append(f"{{{len(value)}")
        for key in sorted(value):
            one = value[key]
            parts.append(f"{len(key)}:{key}")
            if type(one) is str:
                parts.append(str(len(one)))
                parts.append(one)
            else:
                _join(one, parts)
    elif kind is list:
        parts.append(f"[{len(value)}")
        for one in value:
            _join(one, parts)
    else:
        parts.append(f"={value!r}")


def content_of(example: Mapping[str, Any], own_keys: frozenset[str]) -> Mapping[str, Any]:
    """The part of an example that a model is trained with: all but a person's own keys."""
    if own_keys and not own_keys.isdisjoint(example):
        return {key: value for key, value in example.items() if key not in own_keys}
    return example


class Digests:
    """A hash for each line of a file; lines without an example have none."""

    def __init__(self) -> None:
        self._data = bytearray()

    def __len__(self) -> int:
        return len(self._data) // SIZE

    def add(self, digest: bytes | None) -> None:
        """That of the next line, None where it has no example."""
        self._data += _NONE if digest is None else digest

    def repeated(self) -> Iterator[tuple[int, int]]:
        """The number of each line that repeats one before it, and that of the first such line."""
        lines, words = self._sorted()
        yield from _groups(lines, words, lines)

    def shared_with(self, other: Digests) -> Iterator[tuple[int, int]]:
        """The number of each line of ``other`` that is here too, and that of the first such line here."""
        import numpy as np

        here, there = self._words(), other._words()
        words = np.concatenate((here, there))
        order = np.lexsort((words[:, 1], words[:, 0]))
        first = len(here)
        for at, found in _groups(order + 1, words[order], order + 1):
            if at > first >= found:
                yield at - first, found

    def _words(self) -> NDArray[np.uint64]:
        import numpy as np

        return np.frombuffer(self._data, dtype="<u8").reshape(-1, 2)

    def _sorted(self) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        import numpy as np

        words = self._words()
        order = np.lexsort((words[:, 1], words[:, 0]))
        return order + 1, words[order]


def _groups(lines: NDArray[np.int64], words: NDArray[np.uint64], names: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Each line of a group of equal hashes but the first, with the first, by the number of the line."""
    import numpy as np

    if len(lines) < 2:
        return
    real = (words != 0).any(axis=1)
    same = np.zeros(len(lines), dtype=bool)
    same[1:] = (words[1:] == words[:-1]).all(axis=1) & real[1:]
    starts = np.maximum.accumulate(np.where(same, 0, np.arange(len(lines))))
    at = np.flatnonzero(same)
    pairs = sorted(zip(names[at].tolist(), lines[starts[at]].tolist(), strict=True))
    yield from pairs
