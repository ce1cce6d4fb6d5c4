"""Which file of a repository is the model, and what is no model: ``phi pull``, ``chat``, ``cache`` and ``show``."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from phicli.gguf_file.start import START_BYTES
from tests.support.cache_layout import put_in_cache
from tests.support.files import TINY_PHI, model_bytes
from tests.support.gguf_kinds import split_tiny_phi, write_adapter, write_big_endian, write_imatrix, write_projector
from tests.support.hub import LoopbackHub
from tests.support.person import Person
from tests.support.pulling import final_files
from tests.support.running import Phi

QUESTION = "What is the capital of France?"
ANSWER = "The capital of France is Paris.\n"
LARGE = 3_000_000


@pytest.fixture
def two(hub: LoopbackHub) -> LoopbackHub:
    """A repository with two models."""
    files = {"phi-Q4_K_M.gguf": TINY_PHI, "phi-abliterated-Q4_K_M.gguf": model_bytes(LARGE)}
    hub.add_repo("some/two", files)
    return hub


def large(path: Path) -> Path:
    """The file at ``path`` with bytes behind it that no tensor uses: reading all of it shows."""
    path.write_bytes(path.read_bytes() + bytes(LARGE))
    return path


# ------------------------------------------------------------------------------------------------------------ pull


def test_what_a_header_says_is_known_before_the_download(hub: LoopbackHub, online: Phi, tmp_path: Path) -> None:
    projector = large(write_projector(tmp_path / "p.gguf"))
    hub.add_repo("some/vision", {"a-Q4_K_M.gguf": projector, "phi-Q4_K_M.gguf": TINY_PHI})
    done = online("pull", "some/vision", "--json")
    assert (done.code, done.json["data"]["filename"]) == (0, "phi-Q4_K_M.gguf")
    looks = [request for request in hub.requests.matching("a-Q4_K_M.gguf", server="hub") if request.method == "GET"]
    assert [request.range for request in looks] == [f"bytes=0-{START_BYTES - 1}"]
    assert hub.requests.bytes_sent(server="cdn") < LARGE


def test_names_decide_where_the_hub_does_not_let_one_look(hub: LoopbackHub, online: Phi) -> None:
    hub.add_repo("some/tiny", {"phi-Q4_K_M.gguf": TINY_PHI, "mmproj-phi-Q4_K_M.gguf": b"x"})
    hub.faults.add("phi-Q4_K_M.gguf", method="GET", server="hub", status=404)
    assert online("pull", "some/tiny").code == 0


def test_a_hub_that_falls_silent_is_looked_at_once(two: LoopbackHub, online: Phi) -> None:
    silent = two.faults.add("Q4_K_M.gguf", server="cdn", stall_after=100, times=None)
    assert online("pull", "some/two", HF_HUB_DOWNLOAD_TIMEOUT="1").code == 3
    assert two.faults.hits(silent) == 1


def test_a_script_is_told_of_both_models(two: LoopbackHub, online: Phi, folder: Path) -> None:
    done = online("pull", "some/two", "--json")
    assert done.code == 3
    error = done.json["error"]
    assert "phi-Q4_K_M.gguf, phi-abliterated-Q4_K_M.gguf" in error["message"]
    assert "phi pull some/two:phi-Q4_K_M.gguf" in error["hint"]
    assert [choice["model"] for choice in done.json["data"]["choices"]] == [
        "some/two:phi-Q4_K_M.gguf",
        "some/two:phi-abliterated-Q4_K_M.gguf",
    ]
    assert final_files(folder) == {}
    assert online("pull", "some/two:phi-Q4_K_M.gguf").code == 0
    assert online("chat", "some/two", QUESTION).out == ANSWER


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal of its own")
@pytest.mark.parametrize(("typed", "code"), [("3\nx\n1\n", 0), ("\n", 3)], ids=["the first", "none"])
def test_a_person_is_asked_which(
    two: LoopbackHub, environment: dict[str, str], folder: Path, typed: str, code: int
) -> None:
    person = Person(environment | {"HF_HUB_OFFLINE": ""} | two.environment, "pull", "some/two")
    person.wait_for("Which one? [1-2, Enter for none] ")
    assert "some/two has 2 models" in person.screen
    assert "1  some/two:phi-Q4_K_M.gguf (1.9 MiB)" in person.screen
    person.type(typed)
    ended, out = person.end()
    assert (ended, bool(out)) == (code, code == 0)
    assert any(name.endswith("/phi-Q4_K_M.gguf") for name in final_files(folder)) == (code == 0)
    assert not any(name.endswith("abliterated-Q4_K_M.gguf") for name in final_files(folder))


def test_a_short_form_says_what_it_means(hub: LoopbackHub, online: Phi) -> None:
    hub.add_repo("some/tiny", {"phi-Q4_K_M.gguf": TINY_PHI, "phi-Q4_0.gguf": model_bytes(LARGE)})
    done = online("pull", "some/tiny:q4")
    assert done.code == 0
    assert "q4 means Q4_K_M here\n" in done.err
    told = online("chat", "some/tiny:q4", QUESTION)
    assert (told.out, "q4 means Q4_K_M here\n" in told.err) == (ANSWER, True)


# ------------------------------------------------------------------------------------------------------------ here


def test_two_models_of_a_repository_that_are_here(phi: Phi, tmp_path: Path) -> None:
    cache = tmp_path / "hf" / "hub"
    for name in ("phi-Q4_K_M.gguf", "phi-Q8_0.gguf", "mmproj-phi-Q4_K_M.gguf"):
        put_in_cache(cache, "some/two", name)
    assert phi("chat", "some/two", QUESTION).out == ANSWER
    put_in_cache(cache, "some/two", "phi-abliterated-Q6_K.gguf")
    told = phi("chat", "some/two", QUESTION, "--json")
    assert told.code == 3
    assert [choice["model"] for choice in told.json["data"]["choices"]] == [
        "some/two:phi-Q4_K_M.gguf",
        "some/two:phi-abliterated-Q6_K.gguf",
    ]
    assert phi("chat", "some/two:q6_k", QUESTION).out == ANSWER
    pulled = phi("pull", "some/two", "--json")
    assert (pulled.code, pulled.json["data"]) == (3, told.json["data"])
    assert "phi pull some/two:phi-Q4_K_M.gguf" in pulled.json["error"]["hint"]
    assert phi("pull", "some/two:q6_k").code == 0


def test_two_models_with_one_quantization_have_names_that_mean_one(phi: Phi, tmp_path: Path) -> None:
    names = ["some/two:phi-Q4_K_M.gguf", "some/two:phi-abliterated-Q4_K_M.gguf"]
    for name in names:
        put_in_cache(tmp_path / "hf" / "hub", "some/two", name.partition(":")[2])
    listed = phi("cache", "list", "--json").json["data"]["models"]
    assert [model["model"] for model in listed] == names
    assert f"on this machine: {', '.join(names)}, tiny-phi;" in phi("pull", "phi-4-mini").err
    assert phi("chat", names[1], QUESTION).out == ANSWER
    assert phi("pull", "some/two:q4_k_m").code == 3


def test_any_part_names_a_split_model_of_a_repository(hub: LoopbackHub, online: Phi, phi: Phi, tmp_path: Path) -> None:
    parts = split_tiny_phi(tmp_path / "model", "phi-Q8_0")
    hub.add_repo("some/split", {f"Q8_0/{part.name}": part for part in parts})
    name = f"some/split:Q8_0/{parts[1].name}"
    first = online("pull", name)
    assert (first.code, phi("pull", name).out, phi("chat", name, QUESTION).out) == (0, first.out, ANSWER)
    assert phi("rm", name, "--yes").code == 0
    assert phi("cache", "list", "--json").json["data"]["models"] == []


WRITERS = {
    "an adapter (LoRA)": write_adapter,
    "a projector for images or audio": write_projector,
    "an importance matrix for quantization": write_imatrix,
    "a big-endian GGUF file": write_big_endian,
}


@pytest.mark.parametrize("what", WRITERS)
def test_a_file_that_is_no_model_is_named_and_not_to_be_downloaded_again(phi: Phi, tmp_path: Path, what: str) -> None:
    path = WRITERS[what](tmp_path / "phi-4-mini.gguf")
    commands = [("chat", str(path), "hi"), ("cache", "import", str(path)), ("bench", str(path))]
    for arguments in commands if what == "an adapter (LoRA)" else commands[:1]:
        told = phi(*arguments, "--json")
        assert told.code == 8, told.err
        error = told.json["error"]
        assert (error["code"], f"is {what}" in error["message"]) == ("not_a_model", True)
        assert "again" not in error["hint"]


def test_show_says_what_a_file_is(phi: Phi, tmp_path: Path) -> None:
    path = write_adapter(tmp_path / "phi-4-mini.gguf")
    shown = phi("show", str(path))
    assert (shown.code, "adapter, not a model" in shown.out) == (0, True)
    data = phi("show", str(path), "--json").json["data"]
    assert (data["model"], data["file"]["kind"], data["prompt"]) == (None, "adapter", None)
    assert phi("show", str(TINY_PHI), "--json").json["data"]["file"]["kind"] == "model"


def test_scan_registers_no_adapter(phi: Phi, home: Path) -> None:
    folder = home / ".lmstudio" / "models" / "me" / "loras"
    folder.mkdir(parents=True)
    write_adapter(folder / "phi-4-mini-lora-f16.gguf")
    done = phi("cache", "scan", "--register")
    assert "phi-4-mini-lora-f16.gguf is an adapter (LoRA), not a model" in done.err
    assert phi("chat", "phi-4-mini", "hi").code == 3


def test_any_part_is_the_whole_and_a_lost_part_is_named(phi: Phi, tmp_path: Path) -> None:
    parts = split_tiny_phi(tmp_path / "model")
    assert phi("chat", str(parts[1]), QUESTION).out == ANSWER
    imported = phi("cache", "import", str(parts[2]), "--as", "mine")
    assert (imported.code, phi("chat", "mine", QUESTION).out) == (0, ANSWER)
    parts[1].unlink()
    for arguments in (("chat", str(parts[0]), QUESTION), ("cache", "import", str(parts[2]))):
        told = phi(*arguments)
        assert told.code == 3
        assert f"part 2 of 3 of the model is missing: {parts[1]}" in told.err
