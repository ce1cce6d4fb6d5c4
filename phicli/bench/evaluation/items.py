"""Files of questions: the built-in ones and a person's own."""

from __future__ import annotations

import difflib
import hashlib
import io
import shlex
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from phicli.bench.evaluation import fields
from phicli.bench.evaluation.checks import Checks
from phicli.bench.evaluation.fields import Fields
from phicli.bench.evaluation.json_rule import Json, strict
from phicli.bench.evaluation.patterns import Pattern
from phicli.bench.evaluation.rules import Choice, Exact, Number
from phicli.bench.evaluation.training_items import begins_training_data, read_training_data
from phicli.bench.evaluation.types import Item, ItemSet, Rule
from phicli.errors import CheckFailedError, NotFoundError, PhiError, UsageError, reason_of
from phicli.paths import expand, read_small

SHIPPED: Final = ("arithmetic", "instructions")
"""Sets of questions that come with the package."""

_TABLES: Final = (".csv", ".tsv")
_LARGEST_BYTES: Final = 64 << 20
_LONGEST_START: Final = 16 << 20
_MOST_TOKENS: Final = 1 << 17
_LONGEST_ID: Final = 200
_COMMON: Final = ("id", "question", "compare", "system", "max_tokens", "example", "meta")
_OTHER_FORMS: Final = frozenset({"completion", "conversations", "instruction"})
_BAD_SHOWN: Final = 8
_SETS: Final = f"or use a built-in set: {' or '.join(SHIPPED)}"


_RULES: Final[Mapping[str, type[Exact | Number | Pattern | Choice | Json | Checks]]] = {
    "exact": Exact,
    "number": Number,
    "regex": Pattern,
    "choice": Choice,
    "json": Json,
    "checks": Checks,
}


def load_items(name: str, limit: int | None = None, on_bytes: Callable[[int], None] = lambda _: None) -> ItemSet:
    """The questions that ``--set NAME`` means, in a file of questions or of training data.

    A name of :data:`SHIPPED` is a set of the package; anything else, and whatever has a path separator in it or ends
    in ``.jsonl``, is a file. Training data may be larger than memory where there is a ``limit``.

    Args:
        name: what was typed.
        limit: only so many questions of training data are kept; None for all.
        on_bytes: is given how many bytes of training data were checked by now.

    Raises:
        NotFoundError: there is no such file.
        UsageError: it cannot be read.
        CheckFailedError: it is not UTF-8, has no questions, or a line is wrong: the message has its number.
    """
    if name in SHIPPED:
        content = files("phicli").joinpath("data", "evals", f"{name}.jsonl").read_bytes()
    elif (path := _large(name)) is not None:
        if limit is None or not _begins_training_data(path, name):
            more = "; training data may be larger if only some answers are asked for: --limit 1000"
            raise UsageError(f"{name} is larger than {_LARGEST_BYTES >> 20} MiB", f"split it into smaller files{more}")
        return read_training_data(lambda: path.open("rb"), name, limit, on_bytes)
    else:
        content = _content(name)
        if begins_training_data(content):
            return read_training_data(lambda: io.BytesIO(content), name, limit, on_bytes)
    items = read_items(content, name)
    return ItemSet(name, items, hashlib.sha256(content).hexdigest(), len(items))


def read_items(content: bytes, name: str) -> tuple[Item, ...]:
    """The questions in ``content``, one JSON object per line; empty lines are left out.

    Raises:
        CheckFailedError: it is not UTF-8, has no questions, or a line is wrong.
    """
    items = tuple(_items(_text(content, name), name))
    if not items:
        raise CheckFailedError(f"{name} contains no questions", f"write one JSON object per line, {_SETS}")
    return items


def _large(name: str) -> Path | None:
    """The path of a file that is too large to be read at once; None for any other, and for what is not a file."""
    try:
        path = expand(name)
        return path if path.is_file() and path.stat().st_size > _LARGEST_BYTES else None
    except (OSError, ValueError):
        return None


def _begins_training_data(path: Path, name: str) -> bool:
    try:
        with path.open("rb") as file:
            return begins_training_data(file.read(_LONGEST_START))
    except OSError as error:
        raise _unreadable(name, error) from None


def _content(name: str) -> bytes:
    path = expand(name)
    if not name.strip():
        raise UsageError("the name of the question file is empty", f"name a file, {_SETS}")
    try:
        if path.is_dir():
            raise UsageError(f"{name} is a folder", f"name a file with questions, {_SETS}")
        if path.suffix.lower() in _TABLES and path.is_file():
            new = shlex.quote(str(Path(name).with_suffix(".jsonl")))
            hint = f"convert it: phi data convert {shlex.quote(name)} -o {new}; then: --set {new}"
            raise UsageError(f"--set: {name} is a table, not JSON Lines", hint)
        return read_small(path, _LARGEST_BYTES)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        near = difflib.get_close_matches(name.lower(), SHIPPED, n=1)
        hint = f"did you mean {near[0]}?" if near else f"check the path, {_SETS}"
        raise NotFoundError(f"--set: question file {name} not found", hint) from None
    except OSError as error:
        raise _unreadable(name, error) from None


def _unreadable(name: str, error: OSError) -> PhiError:
    return UsageError(f"{name} cannot be read: {reason_of(error)}", f"check the path, {_SETS}")


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"{name}, line {line}: it is not UTF-8 text (byte 0x{content[error.start]:02x})"
        raise CheckFailedError(message, "convert it first with iconv") from None


def _items(text: str, name: str) -> Iterator[Item]:
    lines: dict[str, int] = {}
    bad: dict[int, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            item = read_item(line, number)
            if item.item_id in lines:
                raise ValueError(f"the id {item.item_id!r} is already used in line {lines[item.item_id]}")
        except ValueError as error:
            bad[number] = str(error)
            continue
        lines[item.item_id] = number
        yield item
    if bad:
        raise _refusal(name, text, bad)


def _refusal(name: str, text: str, bad: Mapping[int, str]) -> CheckFailedError:
    """The first of the ``bad`` lines with what is wrong with it, and the numbers of some others."""
    first, *others = bad
    if text.lstrip()[:1] == "[":
        hint = f"if the file is one JSON list, convert it to lines: jq -c '.[]' {shlex.quote(name)}"
        return CheckFailedError(f"{name}, line {first}: {bad[first]}; each line must be one object, not a list", hint)
    hint = "each line is one object with question, answer, compare (exact, number, regex, choice, json, checks)"
    also = ", ".join(map(str, others[:_BAD_SHOWN])) + (", …" if len(others) > _BAD_SHOWN else "")
    more = f" (also invalid: line{'' if len(others) == 1 else 's'} {also})" if others else ""
    return CheckFailedError(f"{name}, line {first}: {bad[first]}{more}", hint)


def read_item(line: str, number: int) -> Item:
    """The question in one line, the ``number``-th of its file.

    Raises:
        ValueError: something in it is wrong; says what.
    """
    data = _object(line)
    if "messages" in data and "compare" not in data:
        raise ValueError("it is training data, but the file begins with a question: write them into two files")
    if "compare" not in data and _OTHER_FORMS & data.keys():
        raise ValueError("it is training data without messages: turn it into messages with phi data convert")
    compare = fields.word(data, "compare", tuple(_RULES))
    rules = _RULES[compare]
    fields.only(data, (*_COMMON, *rules.FIELDS))
    rule: Rule = rules.read(data)
    item = Item(
        item_id=_id(data, number),
        question=fields.text(data, "question"),
        compare=compare,
        rule=rule,
        system=fields.text(data, "system") if data.get("system") is not None else None,
        max_tokens=fields.whole(data, "max_tokens", least=1, most=_MOST_TOKENS) if "max_tokens" in data else None,
    )
    if "example" in data:
        verdict = item.judge(fields.text(data, "example"))
        if not verdict.right:
            raise ValueError(f'the "example" does not pass: {verdict.reason}')
    return item


def _object(line: str) -> dict[str, Any]:
    try:
        data = strict(line)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        if str(error).startswith("Exceeds the limit"):  # Python's own, of digits
            raise ValueError("it has a number with thousands of digits") from None
        where = f" (column {error.colno})" if hasattr(error, "colno") else ""
        raise ValueError(f"it is not JSON: {getattr(error, 'msg', error)}{where}") from None
    if not isinstance(data, dict):
        raise ValueError("it is not a JSON object")
    return data


def _id(data: Fields, number: int) -> str:
    given = data.get("id", f"line-{number}")
    if isinstance(given, int) and not isinstance(given, bool):
        given = str(given)
    fields.checked_text(given, '"id"')
    if len(given) > _LONGEST_ID or not given.isprintable():
        raise ValueError(f'"id" must be one line of at most {_LONGEST_ID} characters')
    return str(given)
