"""The merges of a byte-pair vocabulary: what is needed to tokenize with it outside the engine.

Reading them takes a fifth of a second for 200,000 tokens, which is why a header has only their number.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass, field
from pathlib import Path

from phicli.errors import IntegrityError
from phicli.gguf_file.byte_letters import LETTER_OF_BYTE
from phicli.gguf_file.diagnose import GET_AGAIN, unreadable
from phicli.gguf_file.scan import MERGES, TOKENS
from phicli.gguf_file.walker import ARRAY, STRING, Cut, Walker

_u64 = struct.Struct("<Q").unpack_from


@dataclass(frozen=True, slots=True)
class Merges:
    """A byte-pair vocabulary, spelled as in the file: in the letters of byte-level BPE, as UTF-8.

    ``ids`` maps every token to its id, ``ranks`` every merge (``left right``) to its rank, the first one first.
    """

    ids: dict[bytes, int] = field(repr=False)
    ranks: dict[bytes, int] = field(repr=False)

    @property
    def spells_all_bytes(self) -> bool:
        """Whether each of the 256 bytes has a token, so that every text can be tokenized."""
        return all(letter.encode() in self.ids for letter in LETTER_OF_BYTE.values())


def read_merges(path: Path) -> Merges:
    """The tokens and merges of the GGUF file at ``path``, whose header has been read before.

    Raises:
        IntegrityError: the file has changed since: it is cut, or has no merges.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _read(Walker(data))
    except OSError as error:
        raise unreadable(path, error) from None
    except (Cut, struct.error, KeyError):
        raise IntegrityError(f"{path} has no complete vocabulary", GET_AGAIN) from None


def _read(walker: Walker) -> Merges:
    walker.pos = 16
    found: dict[str, dict[bytes, int]] = {}
    for _ in range(walker.u64()):
        key = walker.string()
        kind = walker.u32()
        if kind != ARRAY:
            walker.scalar(kind)
            continue
        kind, count = walker.array_head()
        if key in (TOKENS, MERGES) and kind == STRING:
            found[key] = _places(walker, count)
        else:
            walker.skip(kind, count)
    return Merges(ids=found[TOKENS], ranks=found[MERGES])


def _places(walker: Walker, count: int) -> dict[bytes, int]:
    """The next ``count`` strings, each with its place."""
    start = walker.pos
    walker.skip(STRING, count)
    data, at, places = walker.data[start : walker.pos], 0, {}
    for place in range(count):
        end = at + 8 + _u64(data, at)[0]
        places[data[at + 8 : end]] = place
        at = end
    return places
