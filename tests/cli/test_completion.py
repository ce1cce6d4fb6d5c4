"""What shells complete: names, options and values, in the protocol of each shell, and without loading what is heavy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
import typer

from phicli.app import app
from phicli.catalog.load import catalog
from phicli.commands.completion import answer, completions
from phicli.commands.group import LazyGroup
from tests.support.cache_layout import put_in_cache, register_by_hand
from tests.support.files import TINY_PHI

REPO = "bartowski/microsoft_Phi-4-mini-instruct-GGUF"
FILE = "microsoft_Phi-4-mini-instruct-Q4_K_M.gguf"


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LazyGroup:
    """The command ``phi`` on a machine with three models: of the catalog, of a repository, and a file in place."""
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "phi"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    put_in_cache(tmp_path / "hub", REPO, FILE)
    put_in_cache(tmp_path / "hub", "some/Other-GGUF", "other.Q8_0.gguf")
    register_by_hand(tmp_path / "phi", "my-file", TINY_PHI, TINY_PHI.stat().st_size)
    return cast("LazyGroup", typer.main.get_command(app))


def values(root: LazyGroup, line: str) -> list[str]:
    *words, last = line.split(" ")
    return [value for value, _ in completions(root, words, last)]


def test_chat_takes_what_can_run_and_what_is_here(root: LazyGroup) -> None:
    names = values(root, "chat ")
    assert names == [
        *(one.id for one in catalog().variants if one.runs_here and (one.sources or one.packaged_file)),
        "some/Other-GGUF",
        "my-file",
    ]
    assert "phi-silica" not in names
    assert values(root, "bench tiny-phi my") == ["my-file"]


def test_rm_takes_what_is_here(root: LazyGroup) -> None:
    assert values(root, "rm ") == ["phi-4-mini", "some/Other-GGUF", "my-file"]
    assert values(root, "rm phi-4-mini:") == ["phi-4-mini:q4_k_m"]
    assert values(root, "cache export some/Other-GGUF:") == ["some/Other-GGUF:q8_0"]
    assert values(root, "cache verify my") == ["my-file"]


def test_pull_takes_what_has_files_and_show_takes_all(root: LazyGroup) -> None:
    assert values(root, "pull ") == [one.id for one in catalog().variants if one.runs_here and one.sources]
    assert set(values(root, "show ")) == {*(one.id for one in catalog().variants), "some/Other-GGUF", "my-file"}


def test_quantizations_behind_the_colon_in_the_case_that_is_typed(root: LazyGroup) -> None:
    variant = catalog().variant("phi-4-mini")
    assert variant is not None
    assert values(root, "chat phi-4-mini:") == [f"phi-4-mini:{quant.lower()}" for quant in variant.quants]
    assert values(root, "chat phi-4-mini:Q8") == ["phi-4-mini:Q8_0"]
    assert values(root, "chat Phi-4-mini:q8") == ["Phi-4-mini:q8_0"]
    assert values(root, "chat phi-4-mini:q4_k_m") == ["phi-4-mini:q4_k_m"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("chat --kv-type ", ["f16", "q8_0", "q4_0"]),
        ("bench --kv-type f16,q", ["f16,q8_0", "f16,q4_0"]),
        ("bench --kv-type=q8", ["--kv-type=q8_0"]),
        ("recommend --kv-type q", ["q8_0", "q4_0"]),
        ("bench --engine ", ["xllamacpp", "llama-server", "ctransformers"]),
        ("chat --engine l", ["llama-server"]),
        ("autotune --engine ", ["xllamacpp", "llama-server"]),
        ("autotune --engine xllamacpp,l", ["xllamacpp,llama-server"]),
        ("eval --engine xllamacpp,l", ["xllamacpp,llama-server"]),
        ("bench --flash-attention o", ["on", "off"]),
        ("recommend --task c", ["chat", "code"]),
        ("recommend --machine laptop-1", ["laptop-16gb"]),
        ("recommend --quant q4_k", ["q4_k_l", "q4_k_m", "q4_k_s"]),
        ("recommend --license M", ["MIT"]),
        ("list --family phi-3", ["phi-3", "phi-3.5"]),
        ("runs list --kind e", ["endpoint", "eval"]),
        ("eval --set a", ["arithmetic"]),
        ("config set recommend.task co", ["code"]),
        ("config set model my", ["my-file"]),
        ("config get chat.temp", ["chat.temperature"]),
        ("chat --temperatu", ["--temperature"]),
        ("chat --system text ti", ["tiny-phi"]),
        ("chat tiny-phi ", []),
        ("chat --max-tokens ", []),
        ("chat -- ti", ["tiny-phi"]),
        ("cha", ["chat"]),
        ("--profile x cha", ["chat"]),
        ("--prof", ["--profile"]),
        ("cache p", ["prune"]),
        ("help ca", ["cache"]),
        ("help cache p", ["prune"]),
        ("help cache prune ", []),
        ("nosuch ", []),
    ],
)
def test_values(root: LazyGroup, line: str, expected: list[str]) -> None:
    assert values(root, line) == expected


def test_commands_and_options_come_with_their_help(root: LazyGroup) -> None:
    assert completions(root, [], "pul") == [("pull", "Download a model into the shared cache and verify it.")]
    assert completions(root, ["chat"], "--seed") == [("--seed", "Random seed for sampling.")]


@pytest.mark.parametrize(
    ("words", "cursor", "expected"),
    [
        (["phi", "rm", "phi-4-mini", ":"], 3, "q4_k_m"),
        (["phi", "rm", "phi-4-mini", ":", "q4"], 4, "q4_k_m"),
        (["phi", "rm", "phi-4-mini:q4"], 2, "phi-4-mini:q4_k_m"),
        (["phi", "bench", "--kv-type", "=", "q8"], 4, "q8_0"),
        (["phi", "bench", "phi-4-mini", ":", "q4_k_m", "--kv-type", "q8"], 6, "q8_0"),
        (["phi", "rm", "'phi-4-m"], 2, "phi-4-mini"),
        (["phi", "rm", ""], 2, "phi-4-mini\nsome/Other-GGUF\nmy-file"),
        (["phi", "cha", "tiny-phi"], 1, "chat"),
    ],
)
def test_bash_splits_words_at_colons(root: LazyGroup, words: list[str], cursor: int, expected: str) -> None:
    environ = {"_PHI_COMPLETE": "complete_bash", "COMP_WORDS": "\n".join(words), "COMP_CWORD": str(cursor)}
    assert answer(root, environ) == (expected, 0)


@pytest.mark.parametrize(
    ("shell", "expected"),
    [
        ("zsh", "local -a phi_words; phi_words=('phi-4-mini\\:q4_k_m'); _describe -V '' phi_words"),
        ("fish", "phi-4-mini:q4_k_m"),
        ("powershell", "phi-4-mini:q4_k_m::: "),
    ],
)
def test_the_other_shells_do_not(root: LazyGroup, shell: str, expected: str) -> None:
    environ = {
        "_PHI_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": "phi rm phi-4-mini:q4",
        "_TYPER_COMPLETE_WORD_TO_COMPLETE": "phi-4-mini:q4",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    assert answer(root, environ) == (expected, 0)


@pytest.mark.parametrize(("line", "code"), [("phi rm ph", 0), ("phi rm ./x", 1)])
def test_fish_completes_files_where_there_is_nothing_else(root: LazyGroup, line: str, code: int) -> None:
    environ = {"_PHI_COMPLETE": "complete_fish", "_TYPER_COMPLETE_ARGS": line}
    assert answer(root, environ | {"_TYPER_COMPLETE_FISH_ACTION": "is-args"}) == ("", code)


def test_zsh_completes_files_where_there_is_nothing_else(root: LazyGroup) -> None:
    environ = {"_PHI_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "phi chat ./x"}
    assert answer(root, environ) == ("_files", 0)


HEAVY = ("rich", "huggingface_hub", "pydantic", "xllamacpp", "psutil", "prompt_toolkit", "requests", "httpx", "numpy")
LINES = ["phi ", "phi chat phi-4-mini:", "phi rm ", "phi bench --kv-type ", "phi chat --te", "phi config set model "]


@pytest.mark.process
def test_no_completion_loads_anything_heavy(tmp_path: Path) -> None:
    code = """
import json, os, sys
from phicli.app import main
for line in json.loads(sys.argv[1]):
    os.environ.update(_PHI_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS=line)
    assert main([]) == 0
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
    environment = {"PHI_HOME": str(tmp_path), "HF_HOME": str(tmp_path), "PATH": "", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(LINES)], env=environment, capture_output=True, text=True, check=True
    )
    assert not set(HEAVY) & set(json.loads(done.stdout.splitlines()[-1]))
    assert len(done.stdout.splitlines()) == len(LINES) + 1
