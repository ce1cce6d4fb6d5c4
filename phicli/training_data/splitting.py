"""Splits a file of training data in two: seeded, equal examples and groups on one side, in bounded memory.

The file is read twice. The first time each line leaves two hashes of 8 bytes, of its group and of its content; then
groups are taken in the order of their hashes mixed with the seed, until there are enough. So which side an example is
on does not depend on its place in the file, and hardly changes where examples are added.
"""

from __future__ import annotations

import shlex
import tempfile
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from phicli.errors import CheckFailedError, UsageError
from phicli.training_data.decoding import BOM, LineError, text_of, value_of
from phicli.training_data.digests import encoded, joined_texts
from phicli.training_data.lines import OnBytes, ignore_bytes, lines_of
from phicli.training_data.outputs import Outputs
from phicli.training_data.source import Source, typed_name
from phicli.training_data.split_result import Side, Split
from phicli.units import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_CHECK: Final = "see all that is wrong: phi data check {name}"
_AGAIN: Final = "split it again when nothing writes to it"
_NONE: Final = 0
_LONGEST_KEYS: Final = 200


@dataclass(frozen=True, slots=True)
class SplitOptions:
    """How a file is split.

    Attributes:
        share: of the examples that become validation data, between 0 and 1; None where ``count`` says how many.
        count: how many become validation data.
        group_by: the key whose values stay together; None where only equal examples do.
        seed: any number.
    """

    share: float | None = 0.1
    count: int | None = None
    group_by: str | None = None
    seed: int = 0


def read_amount(typed: str) -> tuple[float | None, int | None]:
    """Share and number for what ``--validation`` got: ``0.1``, ``10%`` or ``200``; one of them is None.

    Raises:
        UsageError: it is something else.
    """
    text = typed.strip()
    try:
        if text.endswith("%"):
            share, count = float(text[:-1]) / 100, None
        elif "." in text:
            share, count = float(text), None
        else:
            share, count = 0.5, int(text)
    except ValueError:
        share, count = -1.0, None
    if not 0 < share < 1 or (count is not None and count < 1):
        raise UsageError(
            f"--validation {typed} is neither a share nor a number of examples",
            "give a share between 0 and 1, or a number: --validation 0.1, or --validation 200",
        )
    return (None, count) if count is not None else (share, None)


def split(
    source: Source, training: Path, validation: Path, options: SplitOptions, *, force: bool,
    on_bytes: OnBytes = ignore_bytes,
) -> Split:  # fmt: skip
    """Write the two files.

    Args:
        source: what is split; a pipe is copied to a temporary file first.
        training: path of the larger file.
        validation: path of the other one.
        options: how.
        force: whether existing files are replaced.
        on_bytes: is given how many bytes were read, up to twice the size of the file.

    Raises:
        CheckFailedError: a line is not an example, there is too little to split, or the file was changed meanwhile.
        UsageError: a file exists, or cannot be written, or more is asked for than there is.
        DoesNotFitError: the disk is full.
    """
    source.require_text()
    source.require_json_lines()
    for path in (training, validation):
        source.require_other(path)
    with Outputs((training, validation), force=force) as outputs:
        if source.size_bytes is not None:
            file: BinaryIO = source.file
            return _split(file, source.name, outputs, (training, validation), options, on_bytes)
        with tempfile.TemporaryFile() as copy:
            while data := source.file.read(1 << 20):
                copy.write(data)
            copy.seek(0)
            return _split(copy, source.name, outputs, (training, validation), options, on_bytes)


def _split(
    file: BinaryIO, name: str, outputs: Outputs, paths: tuple[Path, Path], options: SplitOptions, on_bytes: OnBytes
) -> Split:
    groups, contents = _hashes(file, name, options.group_by, on_bytes)
    first_bytes = file.tell()
    side, many, notes = _sides(groups, contents, options)
    file.seek(0)
    examples, sizes, second_bytes = [0, 0], [0, 0], 0
    for number, data, size in lines_of(file, lambda done: on_bytes(first_bytes + done)):
        second_bytes += size
        if data is None or number > len(side):
            break
        if number == 1 and data.startswith(BOM):
            data = data[len(BOM) :]  # noqa: PLW2901 (both files get one)
            for at in (0, 1):
                outputs.write(at, BOM)
                sizes[at] += len(BOM)
        if side[number - 1] < 0:
            continue
        line = data if data.endswith(b"\n") else data + b"\n"
        at = int(side[number - 1])
        outputs.write(at, line)
        examples[at] += 1
        sizes[at] += len(line)
    if second_bytes != first_bytes:
        raise CheckFailedError(f"{name} was changed while it was read", _AGAIN)
    written = [Side(str(path), count, size) for path, count, size in zip(paths, examples, sizes, strict=True)]
    return Split(written[0], written[1], options.seed, many, notes)


def _hashes(file: BinaryIO, name: str, group_by: str | None, on_bytes: OnBytes) -> tuple[array[int], array[int]]:
    """The hashes of the group and of the content of each line; 0 for empty lines."""
    groups, contents, check = array("Q"), array("Q"), _CHECK.format(name=typed_name(name))
    for number, data, _ in lines_of(file, on_bytes):
        where = f"{name}:{number}"
        if data is None:
            raise CheckFailedError(f"{where}: the line is too long", check)
        content = data[len(BOM) :] if number == 1 and data.startswith(BOM) else data
        if content.isspace() or not content:
            groups.append(_NONE)
            contents.append(_NONE)
            continue
        try:
            example = value_of(text_of(content))
        except LineError as error:
            column = f", column {error.column}" if error.column else ""
            raise CheckFailedError(f"{where}{column}: {error.message}", check) from None
        if not isinstance(example, dict):
            raise CheckFailedError(f"{where}: the line is not an object", check)
        if group_by is not None and example.get(group_by) is None:
            raise _no_key(where, group_by, example)
        contents.append(_hash(joined_texts({key: one for key, one in example.items() if key != group_by})))
        groups.append(contents[-1] if group_by is None else _hash(joined_texts(example[group_by])))
    return groups, contents


def _no_key(where: str, group_by: str, example: Mapping[str, Any]) -> UsageError:
    close, keys = get_close_matches(group_by, example, n=1), ", ".join(example)[:_LONGEST_KEYS]
    hint = (
        f"did you mean --group-by {shlex.quote(close[0])}?"
        if close
        else f"name one that all lines have, such as: {keys}"
    )
    return UsageError(f"{where}: there is no key {group_by!r}", hint)


def _hash(joined: str) -> int:
    digest = blake2b(encoded(joined)[0], digest_size=8).digest()
    return int.from_bytes(digest, "little") or 1


def _sides(
    groups: array[int], contents: array[int], options: SplitOptions
) -> tuple[NDArray[np.int8], int, tuple[str, ...]]:
    """For each line 0 for training, 1 for validation, -1 for none; how many groups there are; and notes."""
    import numpy as np

    real = np.frombuffer(groups, dtype=np.uint64) != 0 if len(groups) else np.zeros(0, dtype=bool)
    ids = np.frombuffer(groups, dtype=np.uint64)[real] if len(groups) else np.zeros(0, dtype=np.uint64)
    if len(ids) < 2:
        raise CheckFailedError(f"there is nothing to split: {counted(len(ids), 'example')}", "use a larger file")
    if options.group_by is not None:
        ids = _joined_by_content(ids, np.frombuffer(contents, dtype=np.uint64)[real])
    known, inverse, sizes = np.unique(ids, return_inverse=True, return_counts=True)
    target = options.count if options.count is not None else max(1, round((options.share or 0) * len(ids)))
    if target >= len(ids):
        raise UsageError(
            f"{target:,} examples for validation leave none for training: there are {len(ids):,}",
            "choose fewer: --validation 0.1",
        )
    if len(known) < 2 and options.group_by is None:
        raise CheckFailedError("there is nothing to split: all examples are equal", "use a file with other examples")
    if len(known) < 2:
        what = f"of one group, or equal to one of it ({options.group_by})"
        raise UsageError(f"there is nothing to split: all examples are {what}", "choose another key: --group-by KEY")
    chosen, reached = _chosen(known, sizes.tolist(), target, options.seed)
    side = np.full(len(groups), -1, dtype=np.int8)
    side[real] = chosen[inverse]
    notes = [] if reached == target else [
        f"{counted(reached, 'example')} for validation, not {target:,}: groups and equal examples stay together"
    ]  # fmt: skip
    if (empty := int((~real).sum())) > 0:
        notes.append(f"{counted(empty, 'empty line')} left out")
    return side, len(known), tuple(notes)


def _chosen(known: NDArray[np.uint64], sizes: Sequence[int], target: int, seed: int) -> tuple[NDArray[np.int8], int]:
    """Which groups become validation data, and how many examples these have: as near to ``target`` as they allow."""
    import numpy as np

    order = np.argsort(_mixed(known, seed), kind="stable").tolist()
    chosen, reached = np.zeros(len(known), dtype=np.int8), 0
    for at in order:
        if reached + sizes[at] <= target:
            chosen[at] = 1
            reached += sizes[at]
        if reached == target:
            break
    if not reached:
        smallest = min(order, key=lambda at: sizes[at])
        chosen[smallest], reached = 1, sizes[smallest]
    return chosen, reached


def _mixed(known: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """The hashes mixed with the seed (the finalizer of SplitMix64: Steele, Lea and Flood, 2014)."""
    import numpy as np

    salt = int.from_bytes(blake2b(str(seed).encode(), digest_size=8).digest(), "little")
    mixed = known ^ np.uint64(salt)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _joined_by_content(ids: NDArray[np.uint64], contents: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The groups, those with equal examples made one."""
    import numpy as np

    order = np.argsort(contents, kind="stable")
    same = contents[order][1:] == contents[order][:-1]
    parent: dict[int, int] = {}

    def root(of: int) -> int:
        while (above := parent.get(of, of)) != of:
            parent[of] = parent.get(above, above)
            of = above
        return of

    left, right = ids[order][:-1][same].tolist(), ids[order][1:][same].tolist()
    for one, other in zip(left, right, strict=True):
        parent[root(one)] = root(other)
    if not parent:
        return ids
    known, inverse = np.unique(ids, return_inverse=True)
    return np.array([root(one) for one in known.tolist()], dtype=np.uint64)[inverse]
