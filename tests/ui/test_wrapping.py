"""Lines wrap at words, and what can be copied stays whole."""

from __future__ import annotations

import io
import os
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from phicli.commands import ALIASES, SUMMARIES
from phicli.ui.terminal import Terminal
from phicli.ui.wrapping import COMMANDS, StreamWrap, cells, columns_of, wrapped

PATH = "/home/user/models/a-folder-with-a-long-name/another-one/model-q4_k_m.gguf"
COMMAND = "phi pull phi-4-mini:q4_k_m --revision 0123456789abcdef0123456789abcdef01234567"
WORDS = ("the", "of", "日本語", "`phi chat x`", "**b**", "a", "😀", "/usr/local/lib/a/path/that/is/long/x.txt", "won't")


@contextmanager
def terminal(columns: int) -> Iterator[io.TextIOWrapper]:
    """A stream that is a terminal of that width."""
    pty = pytest.importorskip("pty")
    fcntl, termios = pytest.importorskip("fcntl"), pytest.importorskip("termios")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, (24).to_bytes(2, "little") + columns.to_bytes(2, "little") + bytes(4))
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        yield stream
    os.close(ours)


@pytest.fixture(autouse=True)
def no_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)


def test_a_message_wraps_at_words_and_is_indented() -> None:
    text = "one two three four five six"
    assert wrapped(text, 12) == "one two\n  three four\n  five six"
    assert wrapped(text, 40) == text
    assert wrapped(text, 12, first=7, indent=4) == "one\n    two\n    three\n    four\n    five six"


@pytest.mark.parametrize("whole", [PATH, COMMAND, f"phi cache import '{PATH.replace('-', ' ')}' --as NAME"])
def test_what_can_be_copied_has_a_line_of_its_own_where_it_is_too_long(whole: str) -> None:
    lines = wrapped(f"that is how it is done, and it takes a while: {whole}; or do something else", 60).split("\n")
    assert whole in lines
    assert lines[-1] == "  or do something else"


def test_a_short_command_is_not_broken() -> None:
    lines = wrapped("free some space here first (phi cache list, phi cache prune) and run it again", 40).split("\n")
    assert lines == ["free some space here first", "  (phi cache list, phi cache prune) and", "  run it again"]


def test_phi_as_a_word_is_no_command() -> None:
    assert wrapped("so phi cannot tell what fits into this", 20) == "so phi cannot tell\n  what fits into\n  this"


def test_a_path_with_spaces_is_not_broken() -> None:
    path = "/home/me/My Models/some model with words.gguf"
    assert f"  {path} is" in wrapped(f"the file that was named here: {path} is damaged", 52).split("\n")


def test_wide_characters_count_twice() -> None:
    assert wrapped("日本語 日本語 日本語", 14) == "日本語 日本語\n  日本語"


def test_every_command_is_known() -> None:
    assert set(COMMANDS) == {*SUMMARIES, *ALIASES}


def test_a_terminal_says_how_wide_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(61) as stream:
        assert columns_of(stream) == 61
        monkeypatch.setenv("COLUMNS", "47")
        assert columns_of(stream) == 47
    assert columns_of(io.StringIO()) is None


def test_messages_wrap_on_a_terminal_and_nowhere_else() -> None:
    text = "word " * 20
    with terminal(60) as stream:
        assert max(map(len, said(stream, text))) <= 60
    pipe = io.StringIO()
    Terminal(io.StringIO(), io.StringIO(), pipe, colour=False).say(text)
    assert pipe.getvalue() == f"{text}\n"


def said(stream: io.TextIOWrapper, text: str) -> list[str]:
    """What ``say`` writes to a terminal."""
    written: list[str] = []

    class Recorded(io.StringIO):
        def isatty(self) -> bool:
            return True

        def fileno(self) -> int:
            return stream.fileno()

        def write(self, part: str) -> int:
            written.append(part)
            return len(part)

    Terminal(io.StringIO(), io.StringIO(), Recorded(), colour=False).say(text)
    return "".join(written).split("\n")


def streamed(text: str, step: int) -> str:
    """An answer that arrives in parts of ``step`` characters on a terminal of 40 columns."""
    with terminal(40) as stream:
        wrap = StreamWrap(stream)
        parts = [wrap.feed(text[place : place + step]) for place in range(0, len(text), step)]
        return "".join(parts) + wrap.finish()


def test_an_answer_wraps_at_words() -> None:
    text = "The capital of France is Paris, which lies on the river Seine.\n\nIt is old."
    assert streamed(text, 3) == "The capital of France is Paris, which\nlies on the river Seine.\n\nIt is old."


def test_a_tab_takes_all_columns_up_to_the_next_stop() -> None:
    lines = streamed("name\tvalue\tunit\tremark\tanother word\tmore\tof them\t\tat the end", 3).split("\n")
    assert lines[0] == "name\tvalue\tunit\tremark\tanother"
    assert all(len(line.expandtabs(8)) <= 40 for line in lines)


def test_code_and_tables_in_an_answer_are_not_broken() -> None:
    row, code = "| " + "cell | " * 12, "  echo " + "word " * 12
    text = f"So:\n```sh\n{code}\n```\n{row}\n\n    {code}\nand then {'a ' * 13}`phi chat tiny-phi -n 3` again"
    lines = streamed(text, 2).split("\n")
    assert {row, code, f"    {code}"} <= set(lines)
    assert any("`phi chat tiny-phi -n 3`" in line for line in lines)


@pytest.mark.parametrize("seed", range(40))
def test_nothing_but_white_space_changes_and_the_cuts_do_not_matter(seed: int) -> None:
    chance = random.Random(seed)
    lines = [" ".join(chance.choices(WORDS, k=chance.randint(0, 20))) for _ in range(6)]
    text = "\n".join(lines)
    wraps = {streamed(text, step) for step in (1, 3, 1000)}
    assert len(wraps) == 1
    (shown,) = wraps
    assert re.sub(r"\s", "", shown) == re.sub(r"\s", "", text)
    short = [line for line in shown.split("\n") if "/usr" not in line and "`" not in line]
    assert all(cells(line) <= 40 for line in short)
    assert all(word in shown for line in lines for word in line.split() if "/" in word)
