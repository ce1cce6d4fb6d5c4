"""``phi remotes``, and models of remotes in commands that are about this machine, as people run them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from phicli.engine.process import WorkerProcess
from tests.engine.conftest import tiny_settings
from tests.support.endpoint import Behaviour, Endpoint
from tests.support.running import Phi

KEY = "sk-very-secret-123"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint(lambda _: Behaviour(pieces=("Paris", "."), finish="stop")) as found:
        found.models = {"data": [{"id": "microsoft/phi-4"}, {"id": "Phi-4-mini-instruct"}]}
        yield found


@pytest.fixture
def remotes_toml(environment: dict[str, str]) -> Path:
    return Path(environment["PHI_HOME"]) / "config" / "remotes.toml"


def test_a_remote_from_beginning_to_end(phi: Phi, endpoint: Endpoint, remotes_toml: Path) -> None:
    assert "there are no remotes" in phi("remotes", "list").err
    added = phi("remotes", "add", "Lab", endpoint.url, "--kind", "vllm", "--key-env", "LAB_KEY")
    assert (added.code, added.out) == (0, "")
    assert f"remote lab added: {endpoint.url} (vLLM)" in added.err
    assert "LAB_KEY is not set yet" in added.err
    assert endpoint.asked == []
    listed = phi("remotes", "ls")
    assert listed.out.splitlines()[1].split() == ["lab", endpoint.url, "vllm", "LAB_KEY", "(not", "set)"]
    tested = phi("remotes", "test", "lab", "microsoft/phi-4", LAB_KEY=KEY)
    assert tested.code == 0
    assert "lab/microsoft/phi-4" in tested.out
    assert "Paris." in tested.out
    assert all(one.headers["authorization"] == f"Bearer {KEY}" for one in endpoint.asked)
    for run in (added, listed, tested):
        assert KEY not in run.out + run.err
    assert KEY not in remotes_toml.read_text()
    removed = phi("remotes", "rm", "LAB")
    assert (removed.code, removed.err) == (0, "removed 1 remote: lab\n")
    assert phi("remotes", "list", "--json").json["data"]["remotes"] == []


def test_the_same_as_json(phi: Phi, endpoint: Endpoint) -> None:
    added = phi("remotes", "add", "lab", endpoint.url, "--json").json["data"]
    assert (added["kind"], added["replaced"], added["key_env"], added["key_set"]) == ("openai", False, None, None)
    assert "does not name a product" in added["notes"][0]
    assert phi("remotes", "add", "lab", endpoint.url, "--json").json["data"]["replaced"] is True
    found = phi("remotes", "test", "lab/Phi-4-mini-instruct", "--json").json["data"]
    assert found["models"] == ["microsoft/phi-4", "Phi-4-mini-instruct"]
    assert (found["answer"]["model"], found["answer"]["text"]) == ("Phi-4-mini-instruct", "Paris.")
    assert (found["takes"]["kind"], found["takes"]["tried"]) == ("openai", False)
    assert phi("remotes", "rm", "lab", "--json").json["data"]["removed"] == ["lab"]


def test_what_is_not_given_stays_as_long_as_the_address_does(phi: Phi) -> None:
    phi("remotes", "add", "lab", "http://127.0.0.1:9/v1", "--kind", "vllm", "--key-env", "LAB_KEY")
    again = phi("remotes", "add", "lab", "http://127.0.0.1:9/v1/", "--json").json["data"]
    assert (again["kind"], again["key_env"]) == ("vllm", "LAB_KEY")
    other = phi("remotes", "add", "lab", "http://127.0.0.1:11434", "--json").json["data"]
    assert (other["url"], other["kind"], other["key_env"]) == ("http://127.0.0.1:11434/v1", "ollama", None)
    assert any(note.startswith("LAB_KEY is not sent to the new address") for note in other["notes"])


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["phi-4", "http://x"], "a remote cannot be called phi-4: that is the name of the model phi-4", "choose"),
        (["phi3", "http://x"], "a remote cannot be called phi3: that is the name of the model phi-3-mini-4k", "choose"),
        (["phi", "http://x"], "a remote cannot be called phi", "choose another name"),
        (["a/b", "http://x"], "'a/b' cannot be the name of a remote", "use up to 64"),
        (["https://u:s3cr3t@h/v1", "lab"], "an address cannot be the name of a remote", "phi remotes add NAME URL"),
        (["q", "localhost:8080"], "localhost:8080 is not the address of an endpoint", "did you mean http://localhost"),
        (["q", "https://u:s3cr3t@h/v1"], "the address has a user or a password in it", "keep keys in a variable"),
        (["q", "https://h/v1?k=s3cr3t"], "the address has more than a path in it", "an example"),
        (["q", "https://h/v1#s3cr3t"], "the address has more than a path in it", "an example"),
        (["q", "ftp://h/v1"], "this is not the address of an endpoint", "an example"),
        (["q", "http://h", "--kind", "vlm"], "unknown kind: 'vlm'", "did you mean vllm?"),
        (["q", "http://h", "--key-env", "sk-s3cr3t"], "--key-env takes the name of a variable", "export LAB_API_KEY"),
        (["q", "http://h", "--key-env", "s3cr3tabcdefghijklmnop"], "--key-env takes the name of a", "never saved"),
        (["q", "http://h", "--key-env", "A", "--keyring"], "--key-env and --keyring cannot be used", "leave out one"),
        (
            ["q", "https://me.openai.azure.com/models"],
            "the address of an Azure resource ends in /openai/v1",
            "did you mean https://me.openai.azure.com/openai/v1?",
        ),
    ],
)
def test_what_cannot_be_a_remote(phi: Phi, remotes_toml: Path, words: list[str], message: str, hint: str) -> None:
    run = phi("remotes", "add", *words)
    assert run.code == 2
    assert message in run.err
    assert hint in run.err
    assert "s3cr3t" not in run.err
    assert not remotes_toml.exists()


def test_names_that_mean_something_else_too(phi: Phi, environment: dict[str, str], tmp_path: Path) -> None:
    run = phi("remotes", "add", "microsoft", "https://models.example.org/v1")
    assert run.code == 0
    assert "microsoft/NAME means this remote from now on" in run.err
    (tmp_path / "lab").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "phicli", "remotes", "add", "lab", "http://127.0.0.1:9/v1"],
        env=environment | {"PYTHONPATH": str(Path(__file__).parents[2])}, cwd=tmp_path, capture_output=True, check=True,
    )  # fmt: skip
    assert b"there is a folder lab here" in done.stderr


def test_services_that_require_a_key_say_so(phi: Phi) -> None:
    run = phi("remotes", "add", "az", "https://me.openai.azure.com")
    assert "remote az added: https://me.openai.azure.com/openai/v1 (Azure" in run.err
    assert "requires a key: phi remotes add az https://me.openai.azure.com/openai/v1 --key-env VARIABLE" in run.err


def test_a_key_that_others_can_read_is_warned_of(phi: Phi) -> None:
    run = phi("remotes", "add", "lab", "http://lab.example.org/v1", "--key-env", "LAB_KEY", LAB_KEY=KEY)
    assert "the API key is sent to http://lab.example.org/v1 unencrypted" in run.err
    assert KEY not in run.err


def test_exit_codes_of_a_test(phi: Phi, endpoint: Endpoint) -> None:
    assert phi("remotes", "test", "lab").code == 3
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: refused
        phi("remotes", "add", "lab", f"http://127.0.0.1:{closed.getsockname()[1]}/v1")
        gone = phi("remotes", "test", "lab")
    assert gone.code == 4
    assert "cannot be reached" in gone.err
    phi("remotes", "add", "lab", endpoint.url, "--key-env", "LAB_KEY")
    assert phi("remotes", "test", "lab").code == 2
    endpoint.key = KEY
    refused = phi("remotes", "test", "lab", LAB_KEY="sk-wrong-key-456")
    assert refused.code == 4
    assert "check LAB_KEY" in refused.err
    assert "sk-wrong" not in refused.err
    endpoint.behave = lambda _: Behaviour(status=404)
    missing = phi("remotes", "test", "lab", "phi-5", LAB_KEY=KEY)
    assert missing.code == 3


def test_one_wrong_name_removes_nothing(phi: Phi, remotes_toml: Path) -> None:
    phi("remotes", "add", "lab", "http://127.0.0.1:9/v1")
    run = phi("remotes", "rm", "lab", "lb")
    assert run.code == 3
    assert "remote 'lb' not found; nothing was removed" in run.err
    assert "the remotes are lab" in run.err
    assert "did you mean lab?" in phi("remotes", "rm", "lb").err
    assert "[lab]" in remotes_toml.read_text()
    several = phi("remotes", "rm", "lab", "lab2")
    assert "remote 'lab2' not found; nothing was removed" in several.err
    assert "did you mean lab?" not in several.err


def test_an_address_that_was_replaced_can_be_had_back(phi: Phi, remotes_toml: Path) -> None:
    phi("remotes", "add", "lab", "http://127.0.0.1:9/v1", "--kind", "vllm", "--key-env", "LAB_KEY")
    before = remotes_toml.read_text()
    run = phi("remotes", "add", "Lab", "http://127.0.0.1:8/v1")
    assert "lab was http://127.0.0.1:9/v1; to change it back: phi remotes add lab" in " ".join(run.err.split())
    command = "remotes add lab http://127.0.0.1:9/v1 --kind vllm --key-env LAB_KEY"
    assert command in " ".join(run.err.split())
    assert phi(*command.split()).code == 0
    assert remotes_toml.read_text() == before


def test_a_default_model_that_goes_with_its_remote(phi: Phi) -> None:
    phi("remotes", "add", "lab", "http://127.0.0.1:9/v1")
    assert phi("config", "set", "model", "lab/phi-4").code == 0
    assert "the setting model is lab/phi-4" in phi("remotes", "rm", "lab").err


def test_a_file_that_was_edited_badly(phi: Phi, remotes_toml: Path) -> None:
    remotes_toml.parent.mkdir(parents=True)
    remotes_toml.write_text('[lab]\nurl = "http://127.0.0.1:9/v1"\nknd = "vllm"\n')
    for words in (["remotes", "list"], ["remotes", "test", "lab"], ["show", "lab/phi-4"], ["pull", "lab/phi-4"]):
        run = phi(*words)
        assert run.code == 2
        assert f"{remotes_toml}, line 3: lab.knd is unknown: did you mean kind?" in run.err
        assert f"fix it in an editor: {remotes_toml}" in run.err
    (problem,) = [one for one in phi("doctor", "--json").json["data"]["problems"] if one["code"] == "remotes_broken"]
    assert "line 3" in problem["message"]
    remotes_toml.write_text("[lab\n")
    listed = phi("list", "--json")
    assert listed.code == 0
    assert listed.json["data"]["remotes"] == []
    assert "line 1" in listed.err
    assert phi("show", "tiny-phi").code == 0
    assert phi("remotes", "add", "lab", "http://127.0.0.1:9/v1").code == 2


def test_commands_that_are_about_files_refuse_models_of_remotes(phi: Phi) -> None:
    phi("remotes", "add", "lab", "http://127.0.0.1:9/v1")
    for command, words in {
        "pull": "there is nothing to download",
        "rm": "its files are not on this machine",
        "serve": "phi serve serves the models of this machine",
    }.items():
        run = phi(command, "lab/phi-4")
        assert run.code == 2
        assert f"lab/phi-4 is a model on the remote lab: {words}" in run.err
    assert phi("pull", "lab/").code == 2


def test_show_and_list(phi: Phi) -> None:
    assert phi("list", "--json").json["data"]["remotes"] == []
    phi("remotes", "add", "lab", "http://127.0.0.1:9/v1", "--kind", "ollama")
    page = phi("show", "lab/phi4-mini:latest")
    assert page.code == 0
    assert "Ollama" in page.out
    assert "phi4-mini:latest" in page.out
    data = phi("show", "lab/phi4-mini:latest", "--json").json["data"]
    assert (data["model"], data["remote"]["url"]) == ("lab/phi4-mini:latest", "http://127.0.0.1:9/v1")
    assert data["takes"]["kind"] == "ollama"
    assert "remotes: lab" in phi("list").err
    assert phi("list", "--json").json["data"]["remotes"] == ["lab"]


def test_recommend_names_remotes_where_nothing_fits(phi: Phi, endpoint: Endpoint) -> None:
    phi("remotes", "add", "lab", endpoint.url, "--kind", "vllm")
    run = phi("recommend", "--ram", "1G")
    assert run.code == 5
    assert "use a remote: phi chat lab/microsoft/phi-4 (phi-4)" in run.err
    rows = phi("recommend", "--ram", "1G", "--json").json["data"]["remotes"]
    assert {row["catalog"] for row in rows} == {"phi-4", "phi-4-mini"}
    before = len(endpoint.asked)
    assert phi("recommend", "--machine", "laptop-16gb").code == 0
    assert len(endpoint.asked) == before
    assert "use a remote" not in phi("recommend", "--ram", "1G", "--installed").err
    assert len(endpoint.asked) == before


def completed(environment: dict[str, str], *words: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "phicli"],
        env=environment
        | {"_PHI_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.split()


def test_completion(phi: Phi, endpoint: Endpoint, environment: dict[str, str]) -> None:
    phi("remotes", "add", "lab", endpoint.url, "--kind", "vllm")
    assert completed(environment, "phi", "chat", "la") == ["lab/"]
    phi("remotes", "test", "lab")
    before = len(endpoint.asked)
    assert completed(environment, "phi", "remotes", "test", "l") == ["lab"]
    assert completed(environment, "phi", "remotes", "rm", "l") == ["lab"]
    assert completed(environment, "phi", "remotes", "test", "lab", "micro") == ["microsoft/phi-4"]
    assert completed(environment, "phi", "chat", "lab/m") == ["lab/microsoft/phi-4"]
    assert completed(environment, "phi", "remotes", "add", "x", "http://h", "--kind", "foun") == ["foundry-local"]
    assert len(endpoint.asked) == before


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_ctrl_c_while_a_remote_says_nothing(phi: Phi, environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        phi("remotes", "add", "lab", f"http://127.0.0.1:{silent.getsockname()[1]}/v1")
        process = subprocess.Popen(
            [sys.executable, "-m", "phicli", "remotes", "test", "lab"],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        silent.settimeout(60)
        connection, _ = silent.accept()
        connection.settimeout(60)
        connection.recv(10)
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
        connection.close()
    assert process.returncode == 130
    assert b"Traceback" not in err, err.decode()
    assert out == b""


def test_phi_serve_is_a_remote(phi: Phi, serve: Any) -> None:
    server = serve("tiny-phi", "--port", "0")
    phi("remotes", "add", "home", server.first_line, "--kind", "phi")
    found = phi("remotes", "test", "home", "--json").json["data"]
    assert found["models"] == ["tiny-phi"]
    assert found["answer"]["text"] == "The capital of France is Paris."
    assert found["answer"]["completion_tokens"] > 0


def test_llama_server_is_a_remote(phi: Phi, tmp_path: Path) -> None:
    process = WorkerProcess(tmp_path)
    try:
        process.load(tiny_settings(256))
        url = process.wait_ready()
        phi("remotes", "add", "llama", url, "--kind", "llama-server", "--key-env", "LLAMA_KEY")
        found = phi("remotes", "test", "llama", "--json", LLAMA_KEY=process.api_key).json["data"]
        assert phi("remotes", "test", "llama", LLAMA_KEY="wrong").code == 4
    finally:
        process.close()
    assert len(found["models"]) == 1
    assert found["answer"]["text"]
