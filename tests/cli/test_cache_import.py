"""``phi cache import``, ``scan`` and ``export`` as people use them."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.hub.archive.exporting import export_model
from phicli.hub.archive.format import MANIFEST, encode_manifest, header_block, padding_bytes
from tests.support.archived import put
from tests.support.files import TINY_PHI
from tests.support.other_programs import phi_4_mini_bytes, put_in_lm_studio, put_in_ollama, put_manifest
from tests.support.running import Phi

QUESTION = "What is the capital of France?"


@pytest.fixture
def both(home: Path) -> Path:
    """Ollama with Phi-4-mini and a stranger, LM Studio with tiny-phi."""
    ollama = home / ".ollama" / "models"
    put_in_ollama(ollama, "phi4-mini:latest", phi_4_mini_bytes())
    put_in_ollama(ollama, "llama3:8b", phi_4_mini_bytes("Llama 3"))
    put_manifest(ollama, "gone:latest", [{"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:00"}])
    put_in_lm_studio(home / ".lmstudio" / "models", "someone/tiny-GGUF/paris.gguf", TINY_PHI.read_bytes())
    put_in_lm_studio(home / ".lmstudio" / "models", "someone/tiny-GGUF/broken.gguf", b"GGUF" + bytes(3))
    return home


def files_of(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


# ------------------------------------------------------------------------------------------------------------ scan


def test_scan_registers_and_chat_answers(phi: Phi, both: Path) -> None:
    before = files_of(both)
    run = phi("cache", "scan", "-y")
    assert run.code == 0
    rows = {line.split()[0]: line.split() for line in run.out.splitlines()}
    assert set(rows) == {"MODEL", "phi-4-mini", "tiny-phi", "-"}
    assert rows["tiny-phi"][-2:] == ["paris", str(both / ".lmstudio/models/someone/tiny-GGUF/paris.gguf")]
    assert rows["phi-4-mini"][-2] == "phi4-mini-ollama"
    assert "skipped: gone:latest (ollama): its manifest names no SHA-256" in run.err
    assert "skipped: someone/tiny-GGUF/broken.gguf (lm-studio)" in run.err
    assert "1 file is not in the catalog" in run.err
    assert files_of(both) == before
    answer = phi("chat", "paris", QUESTION)
    assert (answer.code, answer.out.strip()) == (0, "The capital of France is Paris.")


def test_a_file_of_ollama_answers_without_an_ending(phi: Phi, home: Path) -> None:
    blob = put_in_ollama(home / ".ollama" / "models", "toy:latest", TINY_PHI.read_bytes())
    data = phi("cache", "scan", "--register", "--json").json["data"]
    assert [(one["path"], one["name"], one["matched_by"]) for one in data["found"]] == [(str(blob), "toy", "header")]
    answer = phi("chat", "toy", QUESTION)
    assert (answer.code, answer.out.strip()) == (0, "The capital of France is Paris.")


@pytest.mark.parametrize("options", [(), ("--dry-run",), ("--dry-run", "--register"), ("--json",)], ids=" ".join)
def test_scan_off_a_terminal_registers_nothing_unasked(
    phi: Phi, both: Path, tmp_path: Path, options: tuple[str]
) -> None:
    assert phi("cache", "scan", *options).code == 0
    assert not (tmp_path / "phi" / "data" / "models").exists()
    assert phi("chat", "paris", QUESTION).code == 3


def test_scan_as_json(phi: Phi, both: Path) -> None:
    first = phi("cache", "scan", "--json")
    assert first.err == ""
    assert first.json["command"] == "cache scan"
    data = first.json["data"]
    assert data["folders"] == [str(both / ".ollama" / "models"), str(both / ".lmstudio" / "models")]
    assert [one["label"] for one in data["skipped"]] == ["gone:latest", "someone/tiny-GGUF/broken.gguf"]
    found = {one["label"]: one for one in data["found"]}
    phi4 = found["phi4-mini:latest"]
    assert (phi4["model"], phi4["quant"], phi4["matched_by"], phi4["name"]) == ("phi-4-mini", "Q4_K_M", "header", None)
    assert phi4["path"].endswith(phi4["sha256"])
    assert (found["llama3:8b"]["model"], found["llama3:8b"]["name"]) == (None, None)
    phi("cache", "scan", "-y")
    again = {one["label"]: one["name"] for one in phi("cache", "scan", "--json").json["data"]["found"]}
    assert again == {"phi4-mini:latest": "phi4-mini-ollama", "llama3:8b": None, "someone/tiny-GGUF/paris.gguf": "paris"}


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text there")
def test_one_that_cannot_be_registered_stops_no_other(phi: Phi, home: Path) -> None:
    models = home / ".lmstudio" / "models" / "someone" / "tiny-GGUF"
    for name in (b"a\xff.gguf", b"b.gguf", b"c\xff.gguf"):
        put_in_lm_studio(models, os.fsdecode(name), TINY_PHI.read_bytes())
    run = phi("cache", "scan", "-y")
    assert run.code == 0
    assert run.err.count("not registered: ") == 2
    assert "not registered: someone/tiny-GGUF/a?.gguf (lm-studio): the path" in run.err
    data = phi("cache", "scan", "-y", "--json").json["data"]
    assert [one["name"] for one in data["found"]] == [None, "b", None]
    assert [one["label"][-6:] for one in data["failed"]] == ["?.gguf", "?.gguf"]
    assert "UTF-8" in data["failed"][0]["reason"]


def test_a_home_that_cannot_be_written_is_no_matter_of_one_file(phi: Phi, both: Path, tmp_path: Path) -> None:
    (tmp_path / "phi").write_text("a file")
    run = phi("cache", "scan", "-y")
    assert (run.code, "cannot be written" in run.err) == (2, True)


def test_scan_where_there_is_nothing(phi: Phi, home: Path) -> None:
    run = phi("cache", "scan")
    assert (run.code, run.out) == (0, "")
    assert "OLLAMA_MODELS" in run.err


@pytest.mark.skipif(os.name == "nt", reason="no pseudo-terminals")
@pytest.mark.parametrize(("typed", "registers"), [(b"\n", True), (b"y\n", True), (b"n\n", False), (b"\x04", False)])
def test_scan_on_a_terminal_asks(
    environment: dict[str, str], both: Path, tmp_path: Path, typed: bytes, registers: bool
) -> None:
    import pty

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "phicli", "cache", "scan"]
    with subprocess.Popen(command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while b"[Y/n]" not in shown:
            shown += os.read(ours, 4096)
        os.write(ours, typed)
        with contextlib.suppress(OSError):  # the end of a pseudo-terminal on Linux
            while more := os.read(ours, 4096):
                shown += more
    os.close(ours)
    assert process.returncode == 0
    assert b"phi4-mini:latest" in shown
    assert (tmp_path / "phi" / "data" / "models").exists() == registers
    assert (b"paris is ready: phi chat paris" in shown) == registers


# ---------------------------------------------------------------------------------------------------------- import


def test_import_says_what_it_is_and_chat_answers(phi: Phi, home: Path) -> None:
    path = home / "Mein Modell.gguf"
    shutil.copy(TINY_PHI, path)
    run = phi("cache", "import", str(path))
    assert run.code == 0
    assert run.out.splitlines()[:2] == ["name   mein-modell", "model  tiny-phi"]
    assert "phi chat mein-modell" in run.err
    assert phi("chat", "mein-modell", QUESTION).out.strip() == "The capital of France is Paris."
    again = phi("cache", "import", str(path), "--json").json
    assert again["command"] == "cache import"
    assert (again["data"]["kind"], again["data"]["already"], again["data"]["name"]) == ("file", True, "mein-modell")
    path.unlink()
    assert phi("chat", "mein-modell", QUESTION).code == 3


BAD = {
    "a name of the catalogue": (["{home}/good.gguf", "--as", "phi-4-mini"], 2, "is already used in the catalog"),
    "a name like a path": (["{home}/good.gguf", "--as", "a/b"], 2, "is not a valid name"),
    "no such file": (["{home}/none.gguf"], 3, "does not exist"),
    "no such archive": (["{home}/none.tar"], 3, "does not exist"),
    "a directory": (["{home}"], 2, "is a folder"),
    "a text": (["{home}/text.gguf"], 8, "not a GGUF file"),
    "an archive that is none": (["{home}/text.tar"], 8, "not a valid phi archive"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_imports(phi: Phi, home: Path, case: str) -> None:
    arguments, code, says = BAD[case]
    shutil.copy(TINY_PHI, home / "good.gguf")
    for name in ("text.gguf", "text.tar"):
        (home / name).write_text("I am a text, really.\n" * 100)
    run = phi("cache", "import", *(word.format(home=home) for word in arguments))
    assert (run.code, run.out) == (code, "")
    message, hint = run.err.split("→")
    assert says in message
    assert hint.strip()
    assert phi("cache", "import", *(word.format(home=home) for word in arguments), "--json").code == code


# ---------------------------------------------------------------------------------------------------------- export


def test_a_model_travels_without_a_network(phi: Phi, home: Path, tmp_path: Path) -> None:
    shutil.copy(TINY_PHI, home / "toy.gguf")
    phi("cache", "import", str(home / "toy.gguf"), "--as", "toy")
    target = tmp_path / "toy.tar"
    done = phi("cache", "export", "toy", str(target), "--json").json
    assert done["command"] == "cache export"
    assert (done["data"]["path"], done["data"]["model"]) == (str(target), "tiny-phi")
    assert done["data"]["archive_bytes"] == target.stat().st_size
    again = phi("cache", "export", "toy", str(target))
    assert (again.code, "--force" in again.err) == (2, True)
    assert phi("cache", "export", "toy", str(target), "--force").code == 0
    there = {"PHI_HOME": str(tmp_path / "there"), "HF_HOME": str(tmp_path / "there-hf")}
    run = phi("cache", "import", str(target), **there)
    assert (run.code, "phi chat toy" in run.err) == (0, True)
    assert phi("chat", "toy", QUESTION, **there).out.strip() == "The capital of France is Paris."


def test_the_name_that_is_printed_means_the_model(phi: Phi, home: Path, tmp_path: Path) -> None:
    """A manifest may name a model that means nothing here."""
    path = put(tmp_path / "other", "toy.gguf", TINY_PHI.read_bytes())
    manifest = export_model(path, tmp_path / "toy.tar", name="toy", quant="Q4_K_M").manifest
    text = encode_manifest(replace(manifest, model="zzz"))
    content = (tmp_path / "toy.tar").read_bytes()
    old = 512 + len(encode_manifest(manifest)) + padding_bytes(len(encode_manifest(manifest)))
    head = header_block(MANIFEST, len(text)) + text + bytes(padding_bytes(len(text)))
    (tmp_path / "zzz.tar").write_bytes(head + content[old:])
    run = phi("cache", "import", str(tmp_path / "zzz.tar"), "--json")
    assert (run.code, run.json["data"]["model"], run.json["data"]["already"]) == (0, None, False)
    name = run.json["data"]["command_name"]
    assert "zzz" not in name
    assert phi("chat", name, QUESTION).out.strip() == "The capital of France is Paris."
    assert "zzz" not in phi("cache", "import", str(tmp_path / "zzz.tar")).err.replace("zzz.tar", "")


def test_an_archive_that_was_tampered_with(phi: Phi, home: Path, tmp_path: Path) -> None:
    target = tmp_path / "toy.tar"
    assert phi("cache", "export", "tiny-phi", str(target)).code == 0
    content = bytearray(target.read_bytes())
    content[len(content) // 2] ^= 1
    target.write_bytes(content)
    run = phi("cache", "import", str(target), "--json")
    assert run.code == 8
    assert run.json["error"]["code"] == "integrity"
    assert "SHA-256" in run.json["error"]["message"]
    assert not [path for path in (tmp_path / "phi").rglob("*") if path.is_file() and path.stat().st_size > 100_000]
    assert not (tmp_path / "phi" / "data" / "models").exists()


def test_the_catalogue_finds_a_registered_file(phi: Phi, both: Path, tmp_path: Path) -> None:
    """``phi-4-mini`` means the file of Ollama once that is registered."""
    missing = phi("cache", "export", "phi-4-mini", str(tmp_path / "a.tar"))
    assert missing.code == 3
    phi("cache", "scan", "-y")
    data = phi("cache", "export", "phi-4-mini", str(tmp_path / "a.tar"), "--json").json["data"]
    assert (data["model"], data["repo"]) == ("phi-4-mini", None)
    assert data["files"][0]["size_bytes"] == len(phi_4_mini_bytes())
