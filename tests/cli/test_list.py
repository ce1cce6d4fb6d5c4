"""``phi list`` in a shell."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from phicli.catalog.load import catalog
from tests.support.cache_layout import put_in_cache
from tests.support.running import Phi

REPO = "bartowski/microsoft_Phi-4-mini-instruct-GGUF"
FILE = "microsoft_Phi-4-mini-instruct-Q4_K_M.gguf"


def names(out: str) -> list[str]:
    return [line.split()[0] for line in out.splitlines()[1:]]


def test_every_variant_is_in_the_list_of_all(phi: Phi) -> None:
    run = phi("list", "--all")
    assert (run.code, run.err) == (0, "")
    assert names(run.out) == [variant.id for variant in catalog().variants]


def test_without_all_what_runs_here(phi: Phi) -> None:
    run = phi("ls")
    assert run.code == 0
    assert names(run.out) == [variant.id for variant in catalog().variants if variant.runs_here]
    assert "phi list --all" in run.err


def test_json_has_the_fields_of_the_contract(phi: Phi, tmp_path: Path) -> None:
    path = put_in_cache(tmp_path / "hf" / "hub", REPO, FILE)
    run = phi("list", "-a", "--json")
    assert (run.code, run.err) == (0, "")
    assert (run.json["schema"], run.json["command"]) == (1, "list")
    models = {model["id"]: model for model in run.json["data"]["models"]}
    assert list(models) == [variant.id for variant in catalog().variants]
    for variant in catalog().variants:
        model = models[variant.id]
        assert model["family"] == variant.family
        assert (model["parameters"], model["active_parameters"]) == (variant.parameters, variant.active_parameters)
        assert (model["context_tokens"], model["license"]) == (variant.context_tokens, variant.license)
        assert (model["strength"], model["runs_on"]) == (variant.strength, variant.runs_on)
        assert (tuple(model["capabilities"]), tuple(model["quants"])) == (variant.capabilities, variant.quants)
        assert model["runs_here"] is variant.runs_here
    (installed,) = models["phi-4-mini"]["installed"]
    assert (installed["quant"], installed["repo"], installed["path"]) == ("Q4_K_M", REPO, str(path))
    assert installed["size_bytes"] == path.stat().st_size
    assert [name for name, model in models.items() if model["installed"]] == ["phi-4-mini"]
    assert models["tiny-phi"]["built_in"] is True


def test_installed(phi: Phi, tmp_path: Path) -> None:
    put_in_cache(tmp_path / "hf" / "hub", REPO, FILE)
    put_in_cache(tmp_path / "hf" / "hub", "some/Other-GGUF", "other.Q8_0.gguf")
    run = phi("list", "--installed")
    assert (run.code, run.err) == (0, "")
    assert names(run.out) == ["phi-4-mini", "some/Other-GGUF:q8_0"]
    data = phi("list", "--installed", "--json").json["data"]
    assert [model["id"] for model in data["models"]] == ["phi-4-mini", "some/Other-GGUF:q8_0"]


def test_nothing_installed(phi: Phi) -> None:
    run = phi("list", "--installed")
    assert (run.code, run.out) == (0, "")
    assert "on this machine: tiny-phi; to bring a model" in run.err
    assert "download one: phi pull phi-4-mini" in phi("list", "--installed", HF_HUB_OFFLINE="").err
    as_json = phi("list", "--installed", "--json")
    assert (as_json.code, as_json.err, as_json.json["data"]["models"]) == (0, "", [])


def test_a_family(phi: Phi) -> None:
    run = phi("list", "--family", "phi-3.5", "--all")
    assert names(run.out) == [variant.id for variant in catalog().variants if variant.family == "phi-3.5"]
    unknown = phi("list", "--family", "phi-9", "--json")
    assert unknown.code == 2
    assert unknown.json["error"]["code"] == "usage"
    assert "phi-3.5" in unknown.json["error"]["hint"]


def test_a_cache_that_cannot_be_read_is_an_empty_one(phi: Phi, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    run = phi("list", "--installed", HF_HUB_CACHE=str(tmp_path / "file"), PHI_HOME="/dev/null/nowhere")
    assert (run.code, run.out) == (0, "")


@pytest.mark.parametrize("arguments", [["list", "--all"], ["show", "tiny-phi"], ["show", "phi-4-mini", "--json"]])
def test_off_a_terminal_nothing_heavy_is_loaded(environment: dict[str, str], arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from phicli.app import main\n"
        f"code = main({arguments!r})\n"
        "heavy = ('rich', 'huggingface_hub', 'psutil', 'xllamacpp', 'prompt_toolkit', 'httpx')\n"
        "print('LOADED', code, [name for name in heavy if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.splitlines()[-1] == "LOADED 0 []"


@pytest.mark.skipif(sys.platform == "win32", reason="shell")
def test_a_reader_that_leaves_early_ends_it_quietly(environment: dict[str, str]) -> None:
    command = f'{sys.executable} -m phicli list --all | true; echo "${{PIPESTATUS[0]}}"'
    done = subprocess.run(
        ["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("141\n", "")
