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
_SOME: Final = 10_000
_NEXT: Final = frozenset({
    ("", "system"), ("", "user"), ("system", "user"), ("user", "assistant"), ("assistant", "user"),
})  # fmt: skip
"""Roles that may follow each other in a conversation without tools."""
_LABELS: Final = {
    key: f"{len(key)}:{key}"
    for key in ("role", "content", "tool_calls", "tool_call_id", "function", "name", "arguments", "id", "type")
}
"""Frequent keys with their lengths."""
_ROLES: Final = {role: f"4:role\n{len(role)}\n{role}" for role in ("system", "user", "assistant")}


def joined_texts(example: Any) -> str:
    """A text that is the same for equal values, whatever the order of their keys, and in which all texts occur.

    Each text has its length in front of it, so that no two values have the same.
    """
    parts: list[str] = []
    _join(example, parts)
    return "\n".join(parts)


class Joiner:
    """Joins the texts of many examples; the tools of the last one, which most files repeat, are joined once."""

    def __init__(self) -> None:
        self._tools: Any = None
        self._joined = ""

    def texts(self, example: Mapping[str, Any]) -> str:
        """The same as :func:`joined_texts`, but for tools that differ in ``1`` and ``true`` or ``1.0`` only."""
        tools = example.get("tools")
        if not tools:
            return joined_texts(example)
        if self._tools is None or tools != self._tools:
            self._tools, self._joined = tools, joined_texts(tools)
        parts = [f"{{{len(example)}"]
        for key in sorted(example):
            parts.append(f"{len(key)}:{key}")
            if key == "tools":
                parts.append(self._joined)
            else:
                _join(example[key], parts)
        return "\n".join(parts)


def encoded(joined: str) -> tuple[bytes, bool]:
    """What :func:`joined_texts` returned as UTF-8, and whether it is whole: no half of a surrogate pair is in it."""
    try:
        return joined.encode(), True
    except UnicodeEncodeError:
        return joined.encode("utf-8", "surrogatepass"), False


def digest_of(data: bytes) -> bytes:
    """128 bits of encoded texts."""
    return blake2b(data, digest_size=SIZE).digest()


def plain_texts(example: Any) -> str | None:
    """The joined texts of an example that has nothing but plain turns in their right order; None for any other.

    Most examples are such, and are recognized so in one pass.
    """
    if type(example) is not dict or len(example) != 1 or type(messages := example.get("messages")) is not list:
        return None
    parts, last = [f"{{1\n8:messages\n[{len(messages)}"], ""
    role: Any
    for message in messages:
        if type(message) is not dict or len(message) != 2:
            return None
        role, content = message.get("role"), message.get("content")
        if type(content) is not str or not content or content.isspace() or (last, role) not in _NEXT:
            return None
        last = role
        parts.append(f"{{2\n7:content\n{len(content)}")
        parts.append(content)
        parts.append(_ROLES[role])
    return "\n".join(parts) if last == "assistant" else None


def _join(value: Any, parts: list[str]) -> None:
    kind = type(value)
    if kind is dict:
        parts.append(f"{{{len(value)}")
        for key in sorted(value):
            one, label = value[key], _LABELS.get(key) or f"{len(key)}:{key}"
            if type(one) is str:
                parts += (label, str(len(one)), one)
            else:
                parts.append(label)
                _join(one, parts)
    elif kind is str:
        parts += (str(len(value)), value)
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
        self.examples = 0

    def __len__(self) -> int:
        return len(self._data) // SIZE

    def add(self, digest: bytes | None) -> None:
        """That of the next line, None where it has no example."""
        self._data += _NONE if digest is None else digest
        self.examples += digest is not None

    def repeated(self) -> Iterator[tuple[int, int]]:
        """The number of each line that repeats one before it, and that of the first such line."""
        words = self._words()
        places = _candidates(words[:, 0])
        lines, first = _groups(words[places])
        yield from _pairs(places[lines] + 1, places[first] + 1)

    def shared_with(self, other: Digests) -> tuple[int, Iterator[tuple[int, int]]]:
        """How many lines of ``other`` are here too; and the number of each, with that of the first such line here."""
        import numpy as np

        here, there = self._words(), other._words()
        ours = np.flatnonzero(np.isin(here[:, 0], there[:, 0]) & (here[:, 0] != 0))
        theirs = np.flatnonzero(np.isin(there[:, 0], here[ours, 0]))
        lines, first = _groups(np.concatenate((here[ours], there[theirs])))
        both = (lines >= len(ours)) & (first < len(ours))
        return int(both.sum()), _pairs(theirs[lines[both] - len(ours)] + 1, ours[first[both]] + 1)

    def _words(self) -> NDArray[np.uint64]:
        import numpy as np

        return np.frombuffer(self._data, dtype="<u8").reshape(-1, 2)


def _candidates(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Where ``words`` has values that it has more than once; 0 stands for none."""
    import numpy as np

    ordered = np.sort(words)
    often = ordered[1:][ordered[1:] == ordered[:-1]]
    often = np.unique(often[often != 0])
    return np.flatnonzero(np.isin(words, often)) if len(often) else np.zeros(0, dtype=np.int64)


def _groups(words: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The place of each hash that is the same as one before it, and that of the first one of its group; in order."""
    import numpy as np

    order = np.lexsort((words[:, 1], words[:, 0]))
    ordered = words[order]
    same = np.zeros(len(order), dtype=bool)
    same[1:] = (ordered[1:] == ordered[:-1]).all(axis=1)
    starts = np.maximum.accumulate(np.where(same, 0, np.arange(len(order))))
    at = np.flatnonzero(same)
    at = at[np.argsort(order[at], kind="stable")]
    return order[at], order[starts[at]]


def _pairs(lines: NDArray[np.int64], first: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Pairs of numbers, some at a time: there may be millions."""
    for at in range(0, len(lines), _SOME):
        yield from zip(lines[at : at + _SOME].tolist(), first[at : at + _SOME].tolist(), strict=True)
