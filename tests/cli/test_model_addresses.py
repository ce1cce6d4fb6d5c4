"""Addresses of the hub and names of Ollama's library, wherever a command takes the name of a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.files import TINY_PHI
from tests.support.hub import LoopbackHub
from tests.support.pulling import final_files
from tests.support.running import Phi

QUESTION = "What is the capital of France?"
ANSWER = "The capital of France is Paris.\n"
REPO, FILE = "some/tiny", "tiny-Q8_0.gguf"


@pytest.fixture
def tiny(hub: LoopbackHub) -> LoopbackHub:
    """A repository with two quantizations."""
    hub.add_repo(REPO, {FILE: TINY_PHI, "tiny-Q4_K_M.gguf": TINY_PHI})
    return hub


def test_one_address_downloads_answers_shows_and_removes(tiny: LoopbackHub, online: Phi, folder: Path) -> None:
    address = f"{tiny.endpoint}/{REPO}/resolve/main/{FILE}?download=true"
    pulled = online("pull", address, "--json")
    assert (pulled.code, pulled.json["data"]["filename"]) == (0, FILE)
    for name in (address, f"hf://{REPO}/{FILE}", f"hf.co/{REPO}:Q8_0", f"https://huggingface.co/{REPO}"):
        assert online("chat", name, QUESTION).out == ANSWER, name
        assert online("show", name, "--json").code == 0
    assert online("rm", address, "--yes").code == 0
    assert final_files(folder) == {}


def test_what_is_not_here_is_named_in_short(tiny: LoopbackHub, online: Phi) -> None:
    done = online("chat", f"https://huggingface.co/{REPO}/tree/main", QUESTION)
    assert done.code == 3
    assert f"{REPO} is not on this machine" in done.err
    assert f"phi pull {REPO}" in done.err
    done = online("chat", "phi3", QUESTION)
    assert done.code == 3
    assert "phi-3-mini-4k is not on this machine" in done.err
    assert "phi pull phi-3-mini-4k" in done.err


def test_a_revision_of_an_address_is_downloaded_but_is_not_a_name(tiny: LoopbackHub, online: Phi) -> None:
    address = f"{tiny.endpoint}/{REPO}/blob/v9/{FILE}"
    done = online("chat", address, QUESTION)
    assert done.code == 2
    assert f"phi pull {REPO}:{FILE} --revision v9" in done.err
    assert "v9" in online("pull", address).err  # it is asked for, and there is no such revision
    assert online("pull", address, "--revision", "main").code == 0


@pytest.mark.parametrize("command", ["chat", "pull", "show", "rm", "bench"])
def test_an_address_that_leads_elsewhere_is_a_usage_error(online: Phi, command: str) -> None:
    done = online(command, "https://huggingface.co/datasets/some/data")
    assert done.code == 2
    assert "does not lead to a model" in done.err
    assert "https://huggingface.co/OWNER/REPO" in done.err


def test_names_of_the_library_are_names_of_the_catalog(phi: Phi) -> None:
    assert phi("show", "phi3", "--json").json["data"]["model"] == "phi-3-mini-4k"
    assert phi("show", "phi4-reasoning:plus", "--json").json["data"]["model"] == "phi-4-reasoning-plus"
    assert phi("config", "set", "model", "phi4-mini:3.8b").code == 0
    assert phi("config", "set", "model", f"hf://{REPO}").code == 0
    assert phi("config", "set", "model", "phi4-mini:7b").code == 2
    assert "phi chat phi3" in phi("phi3", "hello").err


def test_a_file_of_that_name_comes_first(phi: Phi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "phi3").write_bytes(TINY_PHI.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert phi("chat", "phi3", QUESTION).out == ANSWER


def test_an_endpoint_is_measured_and_an_address_of_the_hub_is_a_model(phi: Phi) -> None:
    done = phi("bench", f"https://huggingface.co/{REPO}")
    assert done.code == 3
    assert f"{REPO} is not on this machine" in done.err
