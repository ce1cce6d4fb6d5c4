"""``phi chat --file`` in a shell, on the embedded model."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chat.files.documents import docx, pdf
from tests.support.running import Phi

FRANCE = "What is the capital of France?"
ANSWER = "The capital of France is Paris.\n"


def test_files_go_with_the_question_and_their_tokens_are_reported(phi: Phi, tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("One.\n")
    names = [str(tmp_path / name) for name in ("a.txt", "b.txt")]
    run = phi("chat", "tiny-phi", FRANCE, "-f", names[0], "--file", names[1], "-f", names[0])
    assert (run.code, run.out) == (0, ANSWER)
    notes = run.err.splitlines()
    assert [note.partition(": ")[2].rpartition(": ")[0] for note in notes] == names
    assert all(note.endswith(" tokens") for note in notes)


def test_documents_go_with_the_question(phi: Phi, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf("One."))
    (tmp_path / "b.docx").write_bytes(docx("One"))
    run = phi("chat", "tiny-phi", FRANCE, "-f", str(tmp_path / "a.pdf"), "-f", str(tmp_path / "b.docx"), "--quiet")
    assert (run.code, run.out, run.err) == (0, ANSWER, "")


@pytest.mark.parametrize(
    ("name", "content", "code", "reason"),
    [
        ("none.txt", None, 3, "not found"),
        ("empty.txt", b"", 2, "is empty"),
        ("binary", b"\x7fELF\0", 2, "is a binary file"),
        (".env", b"TOKEN=1", 2, "was not sent: files called .env usually contain passwords or keys"),
        ("latin.txt", b"caf\xe9", 2, "is not UTF-8 text: byte 0xe9 at offset 3"),
        ("long.txt", b"word " * 20_000, 7, "tokens, but the context has only"),
    ],
)
def test_what_cannot_be_sent_is_refused(
    phi: Phi, tmp_path: Path, name: str, content: bytes | None, code: int, reason: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    run = phi("chat", "tiny-phi", "hi", "--file", str(tmp_path / name))
    assert (run.code, run.out) == (code, "")
    assert reason in run.err
    assert "Traceback" not in run.err, run.err


def test_consent_encoding_and_replacement(phi: Phi, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"NAME=caf\xe9")
    file = ("--file", str(tmp_path / ".env"))
    assert phi("chat", "tiny-phi", FRANCE, *file, "--yes", "--input-encoding", "latin-1").out == ANSWER
    lossy = phi("chat", "tiny-phi", FRANCE, *file, "--yes", "--lossy")
    assert lossy.out == ANSWER
    assert "1 character replaced with U+FFFD" in lossy.err
    run = phi("chat", "tiny-phi", FRANCE, "--input-encoding", "klingon")
    assert (run.code, run.out) == (2, "")
    assert "--input-encoding klingon is not a text encoding" in run.err


def test_piped_text_next_to_a_prompt_needs_no_note(phi: Phi) -> None:
    run = phi("chat", "tiny-phi", FRANCE, stdin=b"One.\n")
    assert (run.code, run.out, run.err) == (0, ANSWER, "")
