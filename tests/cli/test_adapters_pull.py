"""``phi pull`` of a repository with an adapter: it is recognized, downloaded, and gets a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.files import TINY_PHI
from tests.support.gguf_kinds import write_adapter as write_damaged
from tests.support.hub import LoopbackHub
from tests.support.lora import tensors, write_gguf, write_peft
from tests.support.pulling import final_files
from tests.support.running import Phi


@pytest.fixture
def poems(hub: LoopbackHub, tmp_path: Path) -> LoopbackHub:
    """A repository as PEFT uploads it."""
    folder = write_peft(tmp_path / "poems")
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    hub.add_repo("someone/tiny-poems", {**files, "README.md": b"# poems"}, license="mit")
    return hub


def test_a_repository_of_peft(poems: LoopbackHub, online: Phi, phi: Phi, environment: dict[str, str]) -> None:
    done = online("pull", "someone/tiny-poems")
    assert done.code == 0, done.err
    assert Path(done.out.strip()) == Path(environment["PHI_HOME"]) / "data" / "adapters" / "tiny-poems.gguf"
    assert "license mit" in done.err
    assert "phi chat tiny-phi --adapter tiny-poems" in done.err
    assert not poems.requests.matching("README.md", method="GET")
    answered = phi("chat", "tiny-phi", "--adapter", "tiny-poems:0", "What is the capital of France?")
    assert answered.out == "The capital of France is Paris.\n"


def test_as_json(poems: LoopbackHub, online: Phi) -> None:
    data = online("pull", "someone/tiny-poems", "--json").json["data"]
    assert (data["model"], data["filename"], data["verified"]) == (
        "someone/tiny-poems", "adapter_model.safetensors", True,
    )  # fmt: skip
    assert data["adapter"]["name"] == "tiny-poems"
    assert data["adapter"]["source"] == "someone/tiny-poems"
    assert data["adapter"]["base"]["fits"] == ["tiny-phi"]


def test_again_it_is_the_same_adapter(poems: LoopbackHub, online: Phi, phi: Phi) -> None:
    online("pull", "someone/tiny-poems")
    again = online("pull", "someone/tiny-poems", "--json").json["data"]
    assert (again["was_there"], again["adapter"]["name"]) == (True, "tiny-poems")
    assert len(phi("adapters", "list", "--json").json["data"]["adapters"]) == 1
    offline = phi("pull", "someone/tiny-poems")
    assert (offline.code, "already downloaded" in offline.err) == (0, True)


def test_a_new_version_replaces_the_old_one(poems: LoopbackHub, online: Phi, tmp_path: Path) -> None:
    path = Path(online("pull", "someone/tiny-poems").out.strip())
    before = path.read_bytes()
    newer = write_peft(tmp_path / "newer", tensors(seed=5))
    poems.repos["someone/tiny-poems"].update({one.name: one.read_bytes() for one in newer.iterdir()})
    assert Path(online("pull", "someone/tiny-poems").out.strip()) == path
    assert path.read_bytes() != before


def test_a_gguf_adapter_is_used_where_it_was_downloaded(
    hub: LoopbackHub, online: Phi, folder: Path, tmp_path: Path
) -> None:
    hub.add_repo("some/lora", {"style-f16.gguf": write_gguf(tmp_path / "style.gguf")})
    done = online("pull", "some/lora", "--json")
    assert done.code == 0, done.err
    adapter = done.json["data"]["adapter"]
    assert (adapter["name"], adapter["converted"]) == ("style", False)
    assert Path(adapter["path"]).is_relative_to(folder)


def test_one_of_several_adapters_is_named(hub: LoopbackHub, online: Phi, tmp_path: Path) -> None:
    files = {
        f"{name}-lora.gguf": write_gguf(tmp_path / f"{name}.gguf", tensors(seed=at)) for at, name in enumerate("ab")
    }
    hub.add_repo("some/two", files)
    done = online("pull", "some/two")
    assert done.code == 3
    assert "some/two has 2 adapters: a-lora.gguf, b-lora.gguf" in done.err
    assert online("pull", "some/two:b-lora.gguf", "--json").json["data"]["adapter"]["source"] == "some/two:b-lora.gguf"


def run_of(tmp_path: Path, *folders: str) -> dict[str, bytes | Path]:
    """A repository of a training run: an adapter in each of ``folders``."""
    found: dict[str, bytes | Path] = {"README.md": b"# run", "runs/events.log": b""}
    for at, folder in enumerate(folders):
        written = write_peft(tmp_path / f"{at}", tensors(seed=at))
        found |= {f"{folder}/{one.name}": one.read_bytes() for one in written.iterdir()}
    return found


def test_an_adapter_in_a_folder(hub: LoopbackHub, online: Phi, phi: Phi, tmp_path: Path) -> None:
    hub.add_repo("some/nested", run_of(tmp_path, "adapter"))
    adapter = online("pull", "some/nested", "--json").json["data"]["adapter"]
    assert (adapter["name"], adapter["source"]) == ("nested", "some/nested")
    assert phi("pull", "some/nested").code == 0


def test_one_of_several_checkpoints_is_named(hub: LoopbackHub, online: Phi, tmp_path: Path) -> None:
    hub.add_repo("some/run", run_of(tmp_path, "checkpoint-20", "checkpoint-100"))
    done = online("pull", "some/run")
    assert done.code == 3
    assert "some/run has 2 adapters: checkpoint-20, checkpoint-100" in done.err
    assert "phi pull some/run:checkpoint-100" in done.err
    for typed, name in (("some/run:checkpoint-100", "run-checkpoint-100"), ("some/run:Checkpoint-20", None)):
        adapter = online("pull", typed, "--json").json["data"]["adapter"]
        assert adapter["name"].lower() == (name or "run-checkpoint-20")
    assert online("pull", "some/run:checkpoint-3").code == 3


def test_the_adapter_of_the_repository_itself_comes_before_its_checkpoints(
    hub: LoopbackHub, online: Phi, tmp_path: Path
) -> None:
    files = {name.removeprefix("x/"): content for name, content in run_of(tmp_path, "x", "checkpoint-5").items()}
    hub.add_repo("some/done", files)
    assert online("pull", "some/done", "--json").json["data"]["filename"] == "adapter_model.safetensors"


def test_a_pickle_is_not_downloaded(hub: LoopbackHub, online: Phi, folder: Path) -> None:
    hub.add_repo("some/old", {"adapter_config.json": b"{}", "adapter_model.bin": b"\x80\x02"})
    done = online("pull", "some/old")
    assert (done.code, "a Python pickle, which phi does not read" in done.err) == (3, True), done.err
    assert final_files(folder) == {}


def test_a_model_beside_an_adapter_is_what_is_downloaded(hub: LoopbackHub, online: Phi, tmp_path: Path) -> None:
    hub.add_repo("some/both", {"phi-Q4_K_M.gguf": TINY_PHI, "phi-lora.gguf": write_gguf(tmp_path / "a.gguf")})
    assert online("pull", "some/both", "--json").json["data"]["filename"] == "phi-Q4_K_M.gguf"
    assert online("pull", "some/both:phi-lora.gguf", "--json").json["data"]["adapter"]["name"] == "phi-lora"


def test_a_damaged_adapter_is_deleted(hub: LoopbackHub, online: Phi, phi: Phi, folder: Path, tmp_path: Path) -> None:
    hub.add_repo("some/lora", {"style-Q8_0.gguf": write_damaged(tmp_path / "a.gguf")})
    done = online("pull", "some/lora:style-Q8_0.gguf")
    assert done.code == 8
    assert "only one of the two matrices" in done.err
    assert final_files(folder) == {}
    assert phi("adapters", "list", "--json").json["data"]["adapters"] == []


def test_one_that_cannot_be_used_says_why(hub: LoopbackHub, online: Phi, tmp_path: Path) -> None:
    folder = write_peft(tmp_path / "dora", use_dora=True)
    hub.add_repo("some/dora", {path.name: path.read_bytes() for path in folder.iterdir()})
    done = online("pull", "some/dora")
    assert done.code == 8
    assert "use_dora" in done.err


def test_chat_does_not_take_an_adapter_for_a_model(poems: LoopbackHub, online: Phi) -> None:
    done = online("chat", "someone/tiny-poems", "hi")
    assert done.code == 3
    assert "phi pull someone/tiny-poems" in done.err


def test_dry_run(poems: LoopbackHub, online: Phi, folder: Path) -> None:
    done = online("pull", "someone/tiny-poems", "--dry-run")
    assert done.code == 0
    assert [line.split()[-1] for line in done.out.splitlines()] == ["adapter_model.safetensors", "adapter_config.json"]
    assert final_files(folder) == {}
