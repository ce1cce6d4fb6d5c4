"""``phi adapters`` and ``phi chat --adapter`` as a person and a script see them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import gguf
import pytest

from tests.support.disks import small_file_system
from tests.support.files import TINY_PHI
from tests.support.lora import tensors, write_gguf, write_peft
from tests.support.requantised import requantise
from tests.support.running import Phi

QUESTION = "What is the capital of France?"
PARIS = "The capital of France is Paris.\n"
LOUD = tensors(seed=3, size=1.0)
"""With it tiny-phi says something else."""


@pytest.fixture
def home(environment: dict[str, str]) -> Path:
    """Where names and converted adapters are."""
    return Path(environment["PHI_HOME"]) / "data" / "adapters"


# -------------------------------------------------------------------------------------------------------- add and list


def test_a_folder_of_peft_gets_a_name(phi: Phi, home: Path, tmp_path: Path) -> None:
    folder = write_peft(tmp_path / "Poems v2")
    done = phi("adapters", "add", str(folder))
    assert done.code == 0, done.err
    assert "phi chat tiny-phi --adapter poems-v2" in done.err
    shutil.rmtree(folder)
    assert phi("chat", "tiny-phi", "--adapter", "Poems_V2:0", QUESTION).out == PARIS
    assert sorted(path.name for path in home.iterdir()) == ["poems-v2.gguf", "poems-v2.json"]


def test_a_gguf_file_is_used_where_it_is(phi: Phi, home: Path, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "mine.gguf")
    data = phi("adapters", "add", str(path), "--as", "two", "--base", "tiny-phi", "--json").json["data"]
    assert (data["name"], data["path"], data["converted"]) == ("two", str(path), False)
    assert data["base"] == {"name": "someone/tiny-phi", "checked_with": "tiny-phi", "fits": ["tiny-phi"]}
    assert [path.name for path in home.iterdir()] == ["two.json"]
    path.unlink()
    gone = phi("chat", "tiny-phi", "--adapter", "two", "hi")
    assert (gone.code, "has been deleted or changed" in gone.err) == (3, True)
    listed = phi("adapters", "list")
    assert (listed.code, "two: " in listed.err) == (0, True)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not have such names")
def test_a_path_that_cannot_be_shown_or_opened(phi: Phi, tmp_path: Path) -> None:
    odd = write_gguf(tmp_path / "odd.gguf").rename(tmp_path / "\udcff.gguf")
    added = phi("adapters", "add", str(odd))
    assert (added.code, "characters that cannot be shown" in added.err) == (2, True), added.err
    assert "no adapters yet" in phi("adapters", "list").err
    used = phi("chat", "tiny-phi", "--adapter", str(odd), QUESTION)
    assert (used.code, "the path of the adapter is not UTF-8" in used.err) == (2, True), used.err


def test_a_model_with_an_adapter_behind_it(phi: Phi, tmp_path: Path) -> None:
    run = phi("chat", "tiny-phi+style:0.5+b", QUESTION)
    assert run.code == 3
    assert run.err.splitlines()[-1] == "  → did you mean phi chat tiny-phi --adapter=style:0.5 --adapter=b?"
    assert "--adapter" not in phi("chat", "tiny-fi+style", QUESTION).err
    assert "--adapter" not in phi("chat", "tiny-phi+", QUESTION).err


def test_list_and_show(phi: Phi, tmp_path: Path) -> None:
    assert "no adapters yet; to add one: phi adapters add" in phi("adapters", "list").err
    phi("adapters", "add", str(write_peft(tmp_path / "poems")))
    row = phi("adapters", "ls").out.splitlines()[1].split()
    assert row[:3] == ["poems", "someone/tiny-phi", "4"]
    page = phi("adapters", "show", "poems").out
    assert "fits the shapes of  tiny-phi" in page
    assert "parameters  32,768" in page
    (data,) = phi("adapters", "list", "--json").json["data"]["adapters"]
    assert data == phi("adapters", "show", "poems", "--json").json["data"]
    assert data["modules"] == {"ffn_down": 4, "ffn_up": 4, "attn_output": 4, "attn_qkv": 4}


def test_training_again_replaces_it(phi: Phi, home: Path, tmp_path: Path) -> None:
    folder = write_peft(tmp_path / "run" / "checkpoint-40")
    name = phi("adapters", "add", str(folder), "--json").json["data"]["name"]
    assert name == "run"
    before = (home / "run.gguf").read_bytes()
    write_peft(folder, LOUD)
    again = phi("adapters", "add", str(folder), "--json").json["data"]
    assert (again["name"], again["already"]) == ("run", True)
    assert (home / "run.gguf").read_bytes() != before


def test_what_a_killed_process_left_is_removed(phi: Phi, home: Path, tmp_path: Path) -> None:
    home.mkdir(parents=True)
    left, fresh = home / ".poems.gguf.trial.0a", home / ".poems.gguf.trial.0b"
    for path, age_s in ((left, 7200), (fresh, 0)):
        path.write_bytes(b"x")
        os.utime(path, (time.time() - age_s,) * 2)
    phi("adapters", "add", str(write_peft(tmp_path / "poems")))
    assert sorted(path.name for path in home.iterdir()) == [fresh.name, "poems.gguf", "poems.json"]


def test_a_name_belongs_to_one_adapter(phi: Phi, tmp_path: Path) -> None:
    phi("adapters", "add", str(write_peft(tmp_path / "a" / "poems")))
    other = write_peft(tmp_path / "b" / "poems")
    assert phi("adapters", "add", str(other), "--json").json["data"]["name"] == "poems-2"
    taken = phi("adapters", "add", str(write_peft(tmp_path / "c" / "poems")), "--as", "Poems")
    assert (taken.code, "the name poems is already used for" in taken.err) == (2, True)
    for name in ("../x", "a b", "x.gguf", "", "ü"):
        assert phi("adapters", "add", str(other), "--as", name).code == 2


def test_what_does_not_fit_is_not_added(phi: Phi, home: Path, tmp_path: Path) -> None:
    wide = tensors(modules={"mlp.down_proj": ("ffn_down", 8192, 3072)})
    for path in (write_peft(tmp_path / "wide", wide), write_gguf(tmp_path / "wide.gguf", wide)):
        done = phi("adapters", "add", str(path), "--base", "tiny-phi")
        assert done.code == 2
        assert "8192 x 3072 in the adapter, but 384 x 128 in the model" in done.err
    assert list(home.glob("*")) == []
    fits = phi("adapters", "add", str(tmp_path / "wide"), "--json").json["data"]["base"]["fits"]
    assert "phi-4-mini" in fits
    assert not {"tiny-phi", "phi-4"} & {*fits}


def test_a_new_training_that_does_not_fit_leaves_the_old_one(phi: Phi, home: Path, tmp_path: Path) -> None:
    folder = write_peft(tmp_path / "poems")
    phi("adapters", "add", str(folder))
    before = (home / "poems.gguf").read_bytes()
    write_peft(folder, tensors(modules={"mlp.down_proj": ("ffn_down", 8192, 3072)}))
    assert phi("adapters", "add", str(folder), "--base", "tiny-phi").code == 2
    assert (home / "poems.gguf").read_bytes() == before


@pytest.mark.parametrize("what", ["nothing", "folder", "model", "text", "data", "safetensors", "dora"])
def test_what_cannot_be_added(phi: Phi, home: Path, tmp_path: Path, what: str) -> None:
    path, code, words = {
        "nothing": (tmp_path / "none", 3, "does not exist"),
        "folder": (tmp_path / "empty", 3, "adapter_config.json is missing"),
        "model": (TINY_PHI, 8, "is a model, not an adapter"),
        "text": (tmp_path / "a.gguf", 8, "download the file again"),
        "data": (tmp_path / "a.jsonl", 8, "→ name the folder that PEFT saved, or a GGUF file"),
        "safetensors": (tmp_path / "a.safetensors", 8, "adapter_config.json"),
        "dora": (tmp_path / "dora", 8, "use_dora"),
    }[what]
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.gguf").write_text("text")
    (tmp_path / "a.jsonl").write_text('{"messages": []}')
    (tmp_path / "a.safetensors").write_text("text")
    write_peft(tmp_path / "dora", use_dora=True)
    done = phi("adapters", "add", str(path))
    assert (done.code, words in done.err) == (code, True), done.err
    assert "→" in done.err
    assert list(home.glob("*")) == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs a small disk")
def test_a_full_disk(phi: Phi, environment: dict[str, str], tmp_path: Path) -> None:
    with small_file_system(tmp_path / "small", "size=64k") as small:
        done = phi("adapters", "add", str(write_peft(tmp_path / "poems")), PHI_HOME=str(small / "phi"))
        assert done.code == 5
        assert list(small.rglob("*.gguf")) == []


def test_damaged_records_are_left_out(phi: Phi, home: Path, tmp_path: Path) -> None:
    phi("adapters", "add", str(write_peft(tmp_path / "poems")))
    for name, content in (("a", "{"), ("b", '{"name": "b"}'), ("poems-x", (home / "poems.json").read_text())):
        (home / f"{name}.json").write_text(content)
    data = phi("adapters", "list", "--json").json["data"]
    assert [one["name"] for one in data["adapters"]] == ["poems"]
    assert data["damaged_records"] == [str(home / f"{name}.json") for name in ("a", "b", "poems-x")]
    assert "b.json is damaged; remove it: phi adapters rm b" in " ".join(phi("adapters", "list").err.split())


# ------------------------------------------------------------------------------------------------------------------ rm


def test_rm_deletes_what_was_converted_and_nothing_else(phi: Phi, home: Path, tmp_path: Path) -> None:
    mine = write_gguf(tmp_path / "mine.gguf")
    phi("adapters", "add", str(write_peft(tmp_path / "poems")))
    phi("adapters", "add", str(mine))
    asked = phi("adapters", "rm", "poems", "mine")
    assert (asked.code, "--yes" in asked.err) == (2, True)
    planned = phi("adapters", "rm", "poems", "mine", "--dry-run")
    assert [line.rpartition("  ")[2] for line in planned.out.splitlines()] == [
        "the converted file is deleted", "the file stays",
    ]  # fmt: skip
    assert phi("adapters", "rm", "poems", "none", "--yes").code == 3
    assert len(list(home.iterdir())) == 3
    assert phi("adapters", "rm", "poems", "mine", "--yes").code == 0
    assert (list(home.iterdir()), mine.exists()) == ([], True)


# ---------------------------------------------------------------------------------------------------------------- chat


def test_an_adapter_changes_the_answer(phi: Phi, tmp_path: Path) -> None:
    loud = str(write_gguf(tmp_path / "loud.gguf", LOUD))
    said = phi("chat", "tiny-phi", "--adapter", loud, QUESTION, "-n", "12")
    assert (said.code, said.out != PARIS) == (0, True)
    assert phi("chat", "tiny-phi", "--adapter", f"{loud}:0", QUESTION).out == PARIS
    assert phi("chat", "tiny-phi", QUESTION).out == PARIS


def test_several_adapters(phi: Phi, tmp_path: Path) -> None:
    loud, opposite = write_gguf(tmp_path / "a.gguf", LOUD), tmp_path / "b.gguf"
    shutil.copy(loud, opposite)
    together = phi("chat", "tiny-phi", "--adapter", str(loud), "--adapter", f"{opposite}:-1", QUESTION, "--json")
    assert together.json["data"]["text"] == PARIS.strip()
    adapters = together.json["data"]["settings"]["adapters"]
    assert adapters == [{"path": str(loud), "scale": 1.0}, {"path": str(opposite), "scale": -1.0}]
    twice = phi("chat", "tiny-phi", "--adapter", str(loud), "--adapter", f"{loud}:0.5", "hi")
    assert (twice.code, "is given twice" in twice.err) == (2, True)


def test_an_adapter_of_another_base(phi: Phi, tmp_path: Path) -> None:
    wide = tensors(modules={"mlp.down_proj": ("ffn_down", 8192, 3072)})
    done = phi("chat", "tiny-phi", "--adapter", str(write_gguf(tmp_path / "wide.gguf", wide)), "hi", "--json")
    error = done.json["error"]
    assert (done.code, error["code"]) == (2, "wrong_base")
    assert "blk.0.ffn_down.weight is 8192 x 3072 in the adapter, but 384 x 128 in the model" in error["message"]
    assert "someone/tiny-phi" in error["hint"]


@pytest.mark.parametrize(
    ("typed", "code", "words"),
    [
        ("nope", 3, "adapter 'nope' not found"),
        ("none:0.5", 3, "adapter 'none' not found"),
        ("none:x", 2, "the scale 'x'"),
        ("none:nan", 2, "the scale 'nan'"),
        ("none:1e9", 2, "the scale '1e9'"),
        ("none:", 2, "the scale ''"),
        (":1", 2, "the name of the adapter is empty"),
        ("", 2, "the name of the adapter is empty"),
        ("none.gguf", 3, "does not exist"),
        (str(TINY_PHI), 8, "is a model, not an adapter"),
    ],
)
def test_adapters_that_are_not_there(phi: Phi, typed: str, code: int, words: str) -> None:
    done = phi("chat", "tiny-phi", "--adapter", typed, "hi")
    assert (done.code, words in done.err) == (code, True), done.err


def test_a_folder_has_to_be_added_first(phi: Phi, tmp_path: Path) -> None:
    folder = write_peft(tmp_path / "poems")
    done = phi("chat", "tiny-phi", "--adapter", str(folder), "hi")
    assert (done.code, f"phi adapters add {folder}" in done.err) == (8, True)


def test_a_path_may_have_a_colon(phi: Phi, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "a:1.gguf", LOUD)
    assert phi("chat", "tiny-phi", "--adapter", f"{path}:0", QUESTION).out == PARIS
    assert phi("chat", "tiny-phi", "--adapter", str(path), QUESTION, "-n", "12").out != PARIS


def test_an_engine_without_adapters(phi: Phi, tmp_path: Path) -> None:
    done = phi("chat", "tiny-phi", "--adapter", str(write_gguf(tmp_path / "a.gguf")), "--engine", "ctransformers", "hi")
    assert done.code in (2, 3, 6)


def test_a_model_of_a_remote_takes_none(phi: Phi) -> None:
    assert phi("remotes", "add", "lab", "http://127.0.0.1:9/v1", "--kind", "openai").code == 0
    done = phi("chat", "lab/phi-4", "--adapter", "poems", "hi")
    assert (done.code, "leave out --adapter" in done.err) == (2, True)


def test_memory_counts_adapters(phi: Phi, tmp_path: Path) -> None:
    adapter = write_gguf(tmp_path / "a.gguf", tensors(rank=512))
    plans = [
        phi("chat", "tiny-phi", *more, "hi", "--dry-run", "--json").json["data"]
        for more in ((), ("--adapter", str(adapter)))
    ]
    sizes = [plan["memory"]["total_bytes"] for plan in plans]
    assert sizes[1] - sizes[0] >= sum(one.n_bytes for one in gguf.GGUFReader(adapter).tensors)


# --------------------------------------------------------------------------------------------------------------- merge


def test_a_merged_model_answers_alone(phi: Phi, tmp_path: Path) -> None:
    loud, out = write_gguf(tmp_path / "loud.gguf", LOUD), tmp_path / "merged.gguf"
    done = phi("adapters", "merge", "tiny-phi", f"{loud}:0.5", str(out), "--json")
    assert done.code == 0, done.err
    data = done.json["data"]
    assert (data["path"], data["scale"], data["changed_tensors"]) == (str(out), 0.5, 16)
    answers = [
        phi("chat", str(out), QUESTION, "-n", "8").out,
        phi("chat", "tiny-phi", "--adapter", f"{loud}:0.5", QUESTION, "-n", "8").out,
    ]
    assert answers[0] == answers[1] != PARIS
    again = phi("adapters", "merge", "tiny-phi", str(loud), str(out))
    assert (again.code, "--force" in again.err) == (2, True)


def test_types_that_cannot_be_merged(phi: Phi, tmp_path: Path) -> None:
    model = requantise(TINY_PHI, tmp_path / "q4.gguf", "Q4_0")
    done = phi("adapters", "merge", str(model), str(write_gguf(tmp_path / "a.gguf")), str(tmp_path / "out.gguf"))
    assert (done.code, "phi chat MODEL --adapter" in done.err) == (2, True)


def test_a_place_that_cannot_be_written(phi: Phi, tmp_path: Path) -> None:
    adapter = str(write_gguf(tmp_path / "a.gguf"))
    done = phi("adapters", "merge", "tiny-phi", adapter, str(tmp_path / "none" / "out.gguf"))
    assert (done.code, "cannot be written" in done.err) == (2, True)


# ----------------------------------------------------------------------------------------------------------- completion


def test_names_are_completed(phi: Phi, environment: dict[str, str], tmp_path: Path) -> None:
    phi("adapters", "add", str(write_peft(tmp_path / "poems")))
    asked = {"_PHI_COMPLETE": "complete_bash", "COMP_WORDS": "phi chat tiny-phi --adapter p", "COMP_CWORD": "4"}
    done = subprocess.run(
        [sys.executable, "-m", "phicli"], env=environment | asked, capture_output=True, text=True, check=False
    )
    assert "poems" in done.stdout.split()
