"""Where the prompt comes from."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from phicli.chat.files.text import TextEncoding, decode
from phicli.errors import UsageError
from phicli.ui import prompt_input
from phicli.ui.prompt_input import Prompt, read_prompt
from phicli.ui.terminal import Terminal


def text(prompt: Prompt | None) -> str:
    assert prompt is not None
    return prompt.text


def terminal(stdin: TextIO) -> Terminal:
    return Terminal(stdin, io.StringIO(), io.StringIO(), colour=False)


@pytest.fixture
def piped(request: pytest.FixtureRequest) -> Iterator[Terminal]:
    """A terminal whose standard input is a pipe with the parameter in it."""
    reader, writer = os.pipe()
    with os.fdopen(reader, encoding="utf-8") as stdin:
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(request.param)
        yield terminal(stdin)


@pytest.mark.parametrize("piped", [b"a document\n"], indirect=True)
def test_piped_text_then_a_blank_line_then_the_prompt(piped: Terminal) -> None:
    assert text(read_prompt(piped, "summarise")) == "a document\n\nsummarise"


@pytest.mark.parametrize("piped", [b"a question\n"], indirect=True)
def test_piped_text_alone(piped: Terminal) -> None:
    assert text(read_prompt(piped, None)) == "a question"


@pytest.mark.parametrize("piped", [b"a question\n"], indirect=True)
def test_a_dash_forces_standard_input(piped: Terminal) -> None:
    assert text(read_prompt(piped, "-")) == "a question"


@pytest.mark.parametrize("piped", [b"noise"], indirect=True)
def test_no_stdin_leaves_it_alone(piped: Terminal) -> None:
    assert text(read_prompt(piped, "hi", no_stdin=True)) == "hi"


@pytest.mark.parametrize("piped", [b"  indented\n\n"], indirect=True)
def test_leading_space_is_kept(piped: Terminal) -> None:
    assert text(read_prompt(piped, None)) == "  indented"


@pytest.mark.parametrize("piped", [b"", b"\n \n"], indirect=True)
def test_empty_standard_input_is_an_error_alone_and_nothing_beside_a_prompt(piped: Terminal) -> None:
    with pytest.raises(UsageError, match="standard input is empty"):
        read_prompt(piped, None)
    assert text(read_prompt(piped, "hi")) == "hi"


@pytest.mark.parametrize("piped", [b"caf\xe9"], indirect=True)
def test_text_that_is_not_utf8_is_refused_with_its_place(piped: Terminal) -> None:
    with pytest.raises(UsageError, match="byte 0xe9 at offset 3") as caught:
        read_prompt(piped, "what is this")
    assert "--input-encoding latin-1" in caught.value.hint
    assert "--lossy" in caught.value.hint


@pytest.mark.parametrize("piped", [b"caf\xe9\n"], indirect=True)
def test_the_encoding_of_piped_text_can_be_named(piped: Terminal) -> None:
    assert text(read_prompt(piped, "what", encoding=TextEncoding("latin-1"))) == "caf\xe9\n\nwhat"


@pytest.mark.parametrize("piped", [b"caf\xe9 \xff"], indirect=True)
def test_bytes_that_are_not_text_can_be_replaced_and_are_counted(piped: Terminal) -> None:
    assert text(read_prompt(piped, None, encoding=TextEncoding(lossy=True))) == "caf\ufffd \ufffd"
    assert "2 characters replaced" in piped.stderr.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("piped", [b"two\nthree\n"], indirect=True)
def test_piped_text_next_to_a_prompt_is_reported(piped: Terminal) -> None:
    read_prompt(piped, "one")
    said = piped.stderr.getvalue()  # type: ignore[attr-defined]
    assert said == "note: standard input comes before the prompt: 10 B (to ignore it: --no-stdin)\n"


@pytest.mark.parametrize(("piped", "prompt"), [(b"two\n", None), (b"\n", "one")], indirect=["piped"])
def test_nothing_is_reported_if_there_is_only_one_of_them(piped: Terminal, prompt: str | None) -> None:
    read_prompt(piped, prompt)
    assert not piped.stderr.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("piped", [b"x" * 1001], indirect=True)
def test_standard_input_without_an_end_does_not_fill_the_memory(
    piped: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_input, "MOST_BYTES", 1000)
    with pytest.raises(UsageError, match="standard input has more than 1000 B"):
        read_prompt(piped, None)


@pytest.mark.parametrize("prompt", ["", "  \n"])
def test_an_empty_prompt_is_refused(prompt: str) -> None:
    with pytest.raises(UsageError, match="the prompt is empty"):
        read_prompt(terminal(io.StringIO()), prompt)


def test_the_null_device_beside_a_prompt_is_not_read() -> None:
    with Path(os.devnull).open(encoding="utf-8") as stdin:
        assert text(read_prompt(terminal(stdin), "hi")) == "hi"
        with pytest.raises(UsageError, match="standard input is empty"):
            read_prompt(terminal(stdin), None)


def test_a_prompt_that_cannot_be_text_is_refused() -> None:
    with pytest.raises(UsageError, match="not UTF-8"):
        read_prompt(terminal(io.StringIO()), "caf\udce9", no_stdin=True)


def test_a_file_is_read_beside_a_prompt(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("notes")
    with path.open(encoding="utf-8") as stdin:
        assert text(read_prompt(terminal(stdin), "sum up")) == "notes\n\nsum up"


@pytest.mark.parametrize(
    "data",
    ["grün".encode("utf-16"), b"\xef\xbb\xbf" + "grün".encode(), "grün".encode()],
    ids=["utf-16", "mark", "utf-8"],
)
def test_byte_order_marks(data: bytes) -> None:
    assert decode(data, "standard input") == "grün"
