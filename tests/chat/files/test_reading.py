"""Files that go with a question: what is read, what is refused, and why."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from phicli.chat.files import reading
from phicli.chat.files.reading import FileReader
from phicli.chat.files.text import TextEncoding, check_encoding
from phicli.errors import NotFoundError, UsageError
from tests.chat.files.documents import docx, pdf, protected_pdf


def test_a_text_file_is_a_named_block(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("one\ntwo\n", encoding="utf-8")
    attachment = FileReader().read(str(path))
    assert (attachment.name, attachment.text) == (str(path), "one\ntwo\n")
    assert attachment.block == f"File {path}:\n<file>\none\ntwo\n</file>"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b" \n\t", "is empty"),
        (b"\x7fELF\0\0", "is a binary file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0", "is an old or a protected Office file"),
        (b"\xff\xfea\0\0\xd8", "is not UTF-16 text: byte 0x00 at offset 4"),
        (b"caf\xe9", "is not UTF-8 text: byte 0xe9 at offset 3"),
        (b"%PDF-1.4 nothing", "cannot be read as a PDF file"),
        (pdf(""), "contains no text"),
        (protected_pdf("secret", "pass"), "is protected with a password"),
    ],
    ids=["empty", "blank", "binary", "office", "utf-16", "latin-1", "damaged", "scanned", "protected"],
)
def test_what_is_not_text_is_refused_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=reason) as caught:
        FileReader().read(str(path))
    assert caught.value.message.startswith(str(path))
    assert caught.value.hint


def test_folders_devices_pipes_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        FileReader().read(str(tmp_path))
    with pytest.raises(NotFoundError, match="not found"):
        FileReader().read(str(tmp_path / "none.txt"))
    with pytest.raises(UsageError, match="is not a path"):
        FileReader().read("a\0b")
    if sys.platform != "win32":
        os.mkfifo(tmp_path / "pipe")
        for name in ("/dev/zero", str(tmp_path / "pipe")):
            with pytest.raises(UsageError, match="is a device or a pipe"):
                FileReader().read(name)


@pytest.mark.parametrize("name", ["", " "])
def test_an_empty_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="the name of the file is empty"):
        FileReader().read(name)


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes there, and /proc/self/mem cannot be read")
def test_names_that_are_not_text_and_reads_that_fail(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")
    Path(name).write_text("text")
    assert FileReader().read(name).name == f"{tmp_path}/caf\ufffd.txt"
    with pytest.raises(UsageError, match=r"/proc/self/mem (cannot be read|is)"):
        FileReader().read("/proc/self/mem")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", None])
def test_a_byte_order_mark_is_not_text(tmp_path: Path, encoding: str | None) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbftext")
    assert FileReader(TextEncoding(encoding)).read(str(tmp_path / "a.txt")).text == "text"


@pytest.mark.parametrize("name", ["base64", "unicode-escape", "Punycode", "idna", "none", "", "a\0"])
def test_what_is_not_an_encoding_of_files_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is not a text encoding"):
        check_encoding(name)


def test_a_file_beyond_every_context_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_BYTES", 1000)
    path = tmp_path / "log.txt"
    path.write_text("x" * 1001)
    with pytest.raises(UsageError, match="has 1001 B, but at most 1000 B are read"):
        FileReader().read(str(path))
    path.write_text("x" * 1000)
    assert len(FileReader().read(str(path)).text) == 1000


def test_the_encoding_can_be_named_and_bytes_replaced(tmp_path: Path) -> None:
    path, told = tmp_path / "notes.txt", list[str]()
    path.write_bytes(b"caf\xe9 \xef\xbf\xbd")
    assert FileReader(TextEncoding("cp1252")).read(str(path)).text.startswith("caf\xe9")
    assert FileReader(TextEncoding(lossy=True), tell=told.append).read(str(path)).text == "caf\ufffd \ufffd"
    assert "1 character replaced" in told[0]  # the other one was in the file
    path.write_bytes("gr\xfcn".encode("utf-16"))
    assert FileReader().read(str(path)).text == "gr\xfcn"


def test_documents_become_text(tmp_path: Path) -> None:
    paper, letter = tmp_path / "paper.pdf", tmp_path / "letter.docx"
    paper.write_bytes(pdf("Paris is the capital"))
    letter.write_bytes(docx("Capitals", "Paris is the capital of France."))
    assert "Paris is the capital" in FileReader().read(str(paper)).text
    assert FileReader().read(str(letter)).text.strip() == "# Capitals\n\nParis is the capital of France."
    letter.write_bytes(docx("Capitals")[:-40])
    with pytest.raises(UsageError, match="cannot be read as a Word file"):
        FileReader().read(str(letter))


@pytest.mark.parametrize(("name", "package"), [("paper.pdf", "pypdf"), ("letter.docx", "mammoth")])
def test_a_missing_package_is_named_with_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / name).write_bytes(pdf("x") if name.endswith("pdf") else docx("x"))
    with pytest.raises(UsageError, match=f"the package {package} is not installed") as caught:
        FileReader().read(str(tmp_path / name))
    assert ".[documents]" in caught.value.hint


_KEY = "-----BEGIN " + "OPENSSH PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".env", "A=1"), (".env.production", "A=1"), ("id_ed25519", "x"), ("server.key", "x"), (".netrc", "x"),
        ("notes.txt", _KEY), ("notes.txt", "token: hf_" + "a" * 34), (".ssh/anything", "x"), ("secrets.yaml", "a: 1"),
        (".aws/credentials", "x"), (".docker/config.json", "{}"),
    ],
)  # fmt: skip
def test_what_looks_secret_is_asked_about(tmp_path: Path, name: str, text: str) -> None:
    path, asked = tmp_path / name, list[str]()
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    with pytest.raises(UsageError, match="was not sent") as caught:
        FileReader().read(str(path))
    assert "--yes" in caught.value.hint
    assert FileReader(allow=lambda question: not asked.append(question)).read(str(path)).text == text
    assert "looks secret" in asked[0]


@pytest.mark.parametrize(
    "name", [".env.example", "id_ed25519.pub", ".ssh/config", "environment.md", "keyboard.txt", "config.json"]
)
def test_what_does_not_look_secret_is_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("text")
    assert FileReader().read(str(path)).text == "text"


def test_a_link_does_not_hide_a_secret(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1")
    (tmp_path / "notes.txt").symlink_to(tmp_path / ".env")
    with pytest.raises(UsageError, match="was not sent"):
        FileReader().read(str(tmp_path / "notes.txt"))


def test_a_name_that_is_too_long_is_an_error_of_the_person() -> None:
    with pytest.raises(UsageError, match="cannot be read: file name too long"):
        FileReader().read("a" * 300)
