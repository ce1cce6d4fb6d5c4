"""``phi show`` in a shell."""

from __future__ import annotations

from pathlib import Path

import pytest

from phicli.catalog.load import catalog
from phicli.catalog.types import Variant
from phicli.chat_format import format_by_name
from phicli.chat_format.example import spelled
from phicli.chat_format.types import Message
from tests.support.cache_layout import put_in_cache
from tests.support.files import TINY_PHI
from tests.support.requantised import requantise
from tests.support.running import Phi


def test_a_variant(phi: Phi, tmp_path: Path) -> None:
    repo = "bartowski/microsoft_Phi-4-mini-instruct-GGUF"
    path = put_in_cache(tmp_path / "hf" / "hub", repo, "microsoft_Phi-4-mini-instruct-Q4_K_M.gguf")
    run = phi("show", "phi-4-mini")
    assert (run.code, run.err) == (0, "")
    for part in ("3.8B", "128K", "MIT", repo, str(path), "1.9 MiB", "never verified", "<|system|>"):
        assert part in run.out
    data = phi("show", "Phi-4-Mini-instruct", "--json").json["data"]
    assert data["model"] == "phi-4-mini"
    assert [model["path"] for model in data["installed"]] == [str(path)]
    assert data["dimensions"]["layers"] == 32


def test_the_sampling_of_a_model_and_of_a_file(phi: Phi, tmp_path: Path) -> None:
    own = {"general.sampling.temp": 0.5, "general.sampling.penalty_repeat": 1.25}
    reasoning = phi("show", "phi-4-reasoning")
    assert "temperature 0.8, top_k 50, top_p 0.95, min_p 0.05; the catalog's" in reasoning.out
    stranger = requantise(TINY_PHI, tmp_path / "stranger.gguf", "F16", own, name="Stranger")
    assert phi("show", str(TINY_PHI), "--json").json["data"]["chat_sampling"]["temperature"] == 0
    data = phi("show", str(stranger), "--json").json["data"]["chat_sampling"]
    assert (data["temperature"], data["repeat_penalty"], data["source"]) == (0.5, 1.25, "the file's own")
    assert "repeat_penalty 1.25, repeat_last_n 64; the file's own" in phi("show", str(stranger)).out
    settings = phi("chat", str(stranger), "hi", "-n", "1", "--json").json["data"]["settings"]
    assert (settings["temperature"], settings["repeat_penalty"]) == (0.5, 1.25)


@pytest.mark.parametrize("one", [one for one in catalog().variants if one.runs_here], ids=lambda one: str(one.id))
def test_json_has_everything_and_the_prompt_as_the_format_renders_it(phi: Phi, one: Variant) -> None:
    run = phi("show", one.id, "--json")
    assert (run.code, run.json["schema"], run.json["command"]) == (0, 1, "show")
    data = run.json["data"]
    assert {"family", "license", "context_tokens", "scores", "notes", "files", "installed", "references"} <= set(data)
    assert len(data["scores"]) == len(one.scores)
    messages = [Message(message["role"], message["content"]) for message in data["prompt"]["messages"]]
    assert one.prompt_format is not None
    rendered = format_by_name(one.prompt_format, reasoning=one.reasoning).render(messages)
    assert data["prompt"]["example"] == "".join(map(spelled, rendered))


def test_what_cannot_run_here_says_what_can(phi: Phi) -> None:
    one = next(found for found in catalog().variants if found.id == "phi-3-small-8k")
    run = phi("show", "phi-3-small")
    assert run.code == 0
    assert "Runs elsewhere" in run.out
    assert one.runs_on in run.out
    assert one.why_not
    assert one.why_not in run.out
    data = phi("info", "phi-3-small", "--json").json["data"]
    assert (data["runs_here"], data["prompt"], data["why_not"]) == (False, None, one.why_not)


def test_this_machine_is_looked_at(phi: Phi) -> None:
    run = phi("show", "phi-4-mini")
    assert (run.code, run.err) == (0, "")
    assert "\nOn this machine now\n" in run.out
    data = phi("show", "phi-4-mini", "--json").json["data"]
    here = data["on_this_machine"]
    assert len(here["rows"]) == len(data["quants"])
    assert [row["quant"] for row in here["rows"] if row["takes"]] == [data["best_file"]["quant"]]
    (row,) = phi("show", str(TINY_PHI), "--json").json["data"]["on_this_machine"]["rows"]
    assert (row["quant"], row["takes"]) == ("F16", False)
    assert phi("show", "phi-3-small", "--json").json["data"]["on_this_machine"] is None


def test_a_path(phi: Phi) -> None:
    run = phi("show", str(TINY_PHI))
    assert (run.code, run.err) == (0, "")
    assert "966,784" in run.out
    data = phi("show", str(TINY_PHI), "--json").json["data"]
    assert data["model"] == "tiny-phi"
    assert data["file"]["path"] == str(TINY_PHI)
    assert data["file"]["parameters"] == 966_784
    assert data["file"]["vocabulary"]["size"] == 1400
    assert "<|end|>" in data["file"]["vocabulary"]["special_tokens"].values()
    assert data["prompt"]["format"] == "phi-4-mini"


@pytest.mark.parametrize(
    ("name", "code", "message", "hint"),
    [
        ("phi-4-mni", 3, "phi-4-mni", "phi-4-mini"),
        ("phi-4-mini:q9", 3, "q9", "Q4_K_M"),
        ("{files}/none.gguf", 3, "none.gguf", ""),
        ("{files}/text.gguf", 8, "text file", ""),
        ("{files}", 2, "is a folder", "text.gguf"),
        ("", 2, "empty", "phi show tiny-phi"),
    ],
)
def test_mistakes(phi: Phi, tmp_path: Path, name: str, code: int, message: str, hint: str) -> None:
    (tmp_path / "text.gguf").write_text("I am a text.\n" * 100)
    run = phi("show", name.format(files=tmp_path))
    assert (run.code, run.out) == (code, "")
    assert message in run.err
    assert hint in run.err
    envelope = phi("show", name.format(files=tmp_path), "--json").json
    assert envelope["command"] == "show"
    assert message in envelope["error"]["message"]


def test_a_model_must_be_named(phi: Phi) -> None:
    assert phi("show").code == 2
