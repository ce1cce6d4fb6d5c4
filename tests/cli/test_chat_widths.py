"""An answer in Markdown in terminals of several widths, and in one whose width changes while the answer comes."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from phicli.ui.markdown.stream import MarkdownStream
from tests.support.lookback import write_script
from tests.support.terminal_talk import TerminalTalk

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals"),
]
ANSWER = """\
# Heading of it

A paragraph with a **strong** word that is longer than forty columns.

1. first item, also long enough to be wrapped somewhere
   - inner `code`

| left | right |
|------|------:|
| 日本 | *12* |

```python
def f(x):
    return "a long line of code that nobody wraps at all"
```

> a quotation that has to be wrapped as well, I think
"""
WORDS = [f"{chr(97 + 7 * n % 26)}{n}{chr(97 + 11 * n % 26)}" for n in range(10, 130)]
PARAGRAPHS = "\n\n".join(" ".join(WORDS[start : start + 20]) for start in range(0, len(WORDS), 20))


def write_answer(path: Path, text: str) -> None:
    """A model that answers everything with ``text``, in pieces of a few characters."""
    pieces: list[str] = []
    rest = text.replace(" ", "▁")
    while rest:
        length = next(n for n in range(2, len(rest) + 2) if rest[:n] not in pieces)
        pieces.append(rest[:length])
        rest = rest[length:]
    write_script(path, pieces)


def rendered(text: str, width: int) -> list[str]:
    stream = MarkdownStream(lambda: width, colour=False)
    return [line.rstrip() for line in (stream.feed(text) + stream.finish()).rstrip("\n").split("\n")]


@pytest.mark.parametrize("columns", [40, 80, 140])
def test_an_answer_is_printed_as_wide_as_the_terminal(
    environment: dict[str, str], tmp_path: Path, columns: int
) -> None:
    write_answer(tmp_path / "model.gguf", ANSWER)
    with TerminalTalk(environment, "chat", str(tmp_path / "model.gguf"), columns=columns, colour=True) as talk:
        talk.begin()
        printed = talk.say("anything").split("\n")
        code = next(place for place, line in enumerate(printed) if "return" in line)
        if columns == 40:  # the terminal breaks the long line of code
            printed[code : code + 2] = [printed[code] + printed[code + 1]]
        assert printed == rendered(ANSWER, columns)
        assert talk.is_bold("strong")
        assert not talk.is_bold("paragraph")


@pytest.mark.parametrize(("before", "after"), [(80, 40), (140, 40), (40, 80)])
def test_a_resize_in_the_middle_of_an_answer(
    environment: dict[str, str], tmp_path: Path, before: int, after: int
) -> None:
    write_answer(tmp_path / "model.gguf", PARAGRAPHS)
    with TerminalTalk(environment, "chat", str(tmp_path / "model.gguf"), columns=before, colour=True) as talk:
        talk.begin()
        talk.type("anything\r")
        talk.wait_until(lambda: WORDS[0] in talk.printed)
        talk.process.send_signal(signal.SIGSTOP)
        talk.resize(after)
        talk.process.send_signal(signal.SIGCONT)
        talk.wait_until(lambda: WORDS[-1] in talk.printed)
        talk.wait_until(talk.asks)
        assert talk.leave() == 0
    answer = talk.printed[talk.printed.index(WORDS[0]) :].split("\x1b")[0]
    assert answer.split() == WORDS  # nothing is lost, nothing is printed twice
    last = answer[answer.index(WORDS[-20]) :].rstrip().split("\n")
    assert last == rendered(" ".join(WORDS[-20:]), after)
