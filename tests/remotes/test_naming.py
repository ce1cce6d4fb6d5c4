"""What ``NAME/MODEL`` means."""

from __future__ import annotations

from pathlib import Path

import pytest

from phicli.errors import UsageError
from phicli.remotes import known
from phicli.remotes.naming import remote_model
from phicli.remotes.types import Remote, RemoteModelName

LAB = Remote("lab", "http://127.0.0.1:8000/v1", "vllm")


@pytest.fixture(autouse=True)
def _lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known.add(LAB)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("model", ["phi-4", "microsoft/phi-4", "phi4-mini:latest", "My Deployment", "models/x.gguf"])
def test_a_model_of_a_remote_is_passed_on_as_it_is(model: str) -> None:
    assert remote_model(f"lab/{model}") == RemoteModelName(LAB, model)
    assert remote_model(f"LAB/{model}") == RemoteModelName(LAB, model)
    assert RemoteModelName(LAB, model).reference == f"lab/{model}"


@pytest.mark.parametrize(
    "typed",
    [
        "lab",
        "phi-4-mini",
        "other/phi-4",
        "/lab/phi-4",
        "./lab/phi-4",
        "https://lab/phi-4",
        "lab://x",
        "",
        "/",
        "lab\\x/y",
    ],
)
def test_everything_else_means_something_else(typed: str) -> None:
    assert remote_model(typed) is None


def test_an_existing_path_comes_first(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    assert remote_model("lab/phi-4.gguf") == RemoteModelName(LAB, "phi-4.gguf")
    (tmp_path / "lab" / "phi-4.gguf").write_bytes(b"")
    assert remote_model("lab/phi-4.gguf") is None


@pytest.mark.parametrize("typed", ["lab/", "lab/  ", "lab/a\nb", "lab/ a", "lab/" + "x" * 513])
def test_what_cannot_be_a_model_is_refused(typed: str) -> None:
    with pytest.raises(UsageError) as caught:
        remote_model(typed)
    assert "phi remotes test lab" in caught.value.hint
