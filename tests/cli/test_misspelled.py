"""Variables that are misspelled, and values of settings that no command takes."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from phicli.app import app, main
from phicli.commands.misspelled import misspelled

ROOT = typer.main.get_command(app)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("PHI_CHAT_MAXTOKENS", "PHI_CHAT_MAX_TOKENS"),
        ("PHI_CHAT_TEMP", "PHI_CHAT_TEMPERATURE"),
        ("PHI_TEMPERATURE", "PHI_CHAT_TEMPERATURE"),
        ("PHI_THREAD", "PHI_THREADS"),
        ("PHI_MODELS", "PHI_MODEL"),
        ("PHI_KVTYPE", "PHI_KV_TYPE"),
        ("PHI_APIKEY", "PHI_API_KEY"),
        ("PHI_HOMEE", "PHI_HOME"),
        ("PHI_CACHE_VERIFY_QUITE", "PHI_CACHE_VERIFY_QUIET"),
    ],
)
def test_a_misspelled_variable_and_what_is_meant(name: str, meant: str) -> None:
    assert list(misspelled({name: "1"}, ROOT)) == [(name, meant)]


@pytest.mark.parametrize(
    "name", ["PHI_CHAT_MAX_TOKENS", "PHI_RUNS_LIST_KIND", "PHI_MODEL", "PHI_HOME", "PHI_DEBUG", "PHI_PROFILE"]
)
def test_what_phi_reads_is_not_misspelled(name: str) -> None:
    assert list(misspelled({name: "1"}, ROOT)) == []


@pytest.mark.parametrize("name", ["PHI_LATEX", "PHI_ENV", "PHI_X", "PHILIP", "THREADS"])
def test_what_is_like_nothing_belongs_to_somebody_else(name: str) -> None:
    assert list(misspelled({name: "1"}, ROOT)) == []


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("PHI_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("home")
def test_the_note_comes_once_and_not_on_standard_output(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHI_THREAD", "2")
    assert main(["config", "path", "--json"]) == 0
    said = capsys.readouterr()
    assert said.err == "note: PHI_THREAD is not a variable that phi reads; did you mean PHI_THREADS?\n"
    assert said.out.startswith('{"schema": 1')


REFUSED = {
    "model": ["nosuch", "phi-4-min", "phi-4-mini:q99", "phi-silica", "what is up", ""],
    "profile.fast.model": ["nosuch"],
    "recommend.task": ["poetry"],
    "recommend.machine": ["laptop"],
    "recommend.kv_type": ["f32"],
    "recommend.ram": ["3x"],
    "recommend.max_size": ["much"],
    "recommend.bandwidth": ["fast"],
    "kv_type": ["f32"],
    "bench.engine": ["ollama"],
    "eval.engine": ["xllamacpp,ollama"],
    "list.family": ["phi-9"],
    "runs.list.kind": ["bench"],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in REFUSED.items() for value in values])
def test_what_no_command_takes_is_not_set(capsys: pytest.CaptureFixture[str], home: Path, key: str, value: str) -> None:
    assert main(["config", "set", key, value]) == 2
    message, arrow, _ = capsys.readouterr().err.partition("→")
    assert "is not valid" in message
    assert arrow
    assert not (home / "config").exists()


@pytest.mark.parametrize(
    "value", ["phi-4-mini", "Phi4-Mini", "phi-4-mini:q4_k_m", "owner/repo:Q4_K_M", "tiny-phi", "./m.gguf", "/models/m"]
)
def test_a_default_model_need_not_be_here(capsys: pytest.CaptureFixture[str], home: Path, value: str) -> None:
    assert main(["config", "set", "model", value]) == 0
    assert (home / "config" / "config.toml").read_text() == f'model = "{value}"\n'
    assert ("note: there is no file" in capsys.readouterr().err) == value.endswith(".gguf")


def test_a_misspelled_default_model_gets_a_proposal(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    assert main(["config", "set", "model", "phi-4-min"]) == 2
    assert "did you mean phi-4-mini" in capsys.readouterr().err
