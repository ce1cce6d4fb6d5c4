"""Questions from training data: each answer of the assistant is one, and what is before it the conversation."""

from __future__ import annotations

import hashlib
import io
import shlex
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final

from phicli.bench.evaluation.talks import COMPARE, TalkRule
from phicli.bench.evaluation.types import Item, ItemSet
from phicli.errors import CheckFailedError
from phicli.training_data.checking import Checking, CheckOptions
from phicli.training_data.conversation import conversation_of, messages_of
from phicli.training_data.decoding import BOM, LineError, text_of, value_of
from phicli.training_data.lines import OnBytes, lines_of
from phicli.training_data.report import Report
from phicli.units import counted

_SHOWN: Final = 3
_MIXED: Final = "write questions and training data into two files"


def begins_training_data(start: bytes) -> bool:
    """Whether a file whose first line with something in it is in ``start`` has training data: an object with messages.

    A line that is longer than ``start`` is judged by its keys as far as they are there.
    """
    line = next((one for one in io.BytesIO(start.removeprefix(BOM)) if one.strip()), b"")
    if b'"messages"' not in line:
        return False
    try:
        first = value_of(text_of(line))
    except LineError:
        return b'"compare"' not in line
    return isinstance(first, dict) and "messages" in first and "compare" not in first


def read_training_data(
    opened: Callable[[], BinaryIO], name: str, limit: int | None = None, on_bytes: OnBytes = lambda _: None
) -> ItemSet:
    """The questions in a file of training data.

    Args:
        opened: opens the file; called twice.
        name: of the file, for messages.
        limit: so many questions are read; None for all.
        on_bytes: is given how many bytes were checked by now.

    Raises:
        CheckFailedError: it has errors as training data, or lines that are questions.
    """
    with opened() as file:
        reading = _Reading(file)
        report = _checked(reading, name, on_bytes)
    if reading.question_line:
        raise CheckFailedError(f"{name}, line {reading.question_line}: a question stands in training data", _MIXED)
    if not report.usable:
        raise _refusal(report, name)
    items = []
    with opened() as file:
        for item in _items(file):
            items.append(item)
            if len(items) == limit:
                break
    return ItemSet(name, tuple(items), reading.sha256.hexdigest(), report.files[0].answers)


class _Reading:
    """A file that is read line by line, and hashed meanwhile; ``question_line`` is the first line with a question."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._line = file, 1
        self.sha256 = hashlib.sha256()
        self.question_line = 0

    def readline(self, size: int) -> bytes:
        """As a file has it."""
        data = self._file.readline(size)
        self.sha256.update(data)
        if not self.question_line and b'"compare"' in data and _is_question(data):
            self.question_line = self._line
        self._line += data.endswith(b"\n")
        return data


def _is_question(line: bytes) -> bool:
    try:
        data = value_of(text_of(line.removeprefix(BOM).rstrip(b"\r\n")))
    except LineError:
        return False
    return isinstance(data, dict) and "compare" in data and "messages" not in data


def _checked(reading: Any, name: str, on_bytes: OnBytes) -> Report:
    checking = Checking(CheckOptions(keep=_SHOWN, any_own_keys=True))
    checking.read(reading, name, on_bytes)
    return checking.report()


def _refusal(report: Report, name: str) -> CheckFailedError:
    count = counted(report.findings.count("error"), "error")
    return CheckFailedError(
        f"{name} has {count} as training data: {report.first_errors(_SHOWN)}",
        f"see all of them: phi data check {shlex.quote(name)}",
    )


def _items(file: BinaryIO) -> Iterator[Item]:
    for number, data, _ in lines_of(file):
        content = b"" if data is None else data.removeprefix(BOM) if number == 1 else data
        if content.strip():
            yield from _items_of(value_of(text_of(content.rstrip(b"\r\n"))), number)


def _items_of(example: Any, line: int) -> Iterator[Item]:
    """A question for each answer that is trained on; others belong to the conversation only."""
    given, conversation = messages_of(example), conversation_of(example)
    messages = conversation.messages
    answers = [place for place, message in enumerate(messages) if message.role == "assistant"]
    for count, place in enumerate(answers, 1):
        if given[place].get("weight") == 0:
            continue
        before = messages[:place]
        talk = TalkRule(before, messages[place], conversation.tools, line)
        asked = next((one.content for one in reversed(before) if one.role in ("user", "tool")), "")
        item_id = f"line-{line}" if len(answers) == 1 else f"line-{line}.{count}"
        yield Item(item_id, asked, COMPARE, talk, max_tokens=talk.least_tokens, talk=talk)
