from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from phicli.catalog.quants import quant_of_filename
from phicli.catalog.resolve import resolve
from phicli.catalog.types import GgufFile, GgufSource
from phicli.hub.cache import (
    best_installed,
    cache_folder,
    installed,
    installed_in,
)
from phicli.paths import NOWHERE

REPO = "owner/Some-Model-GGUF"
OLD, NEW, MAIN = "1" * 40, "2" * 40, "3" * 40


def put(cache: Path, repo: str, commit: str, filename: str, content: bytes = b"x", *, age_s: int = 0) -> Path:
    """A file in the layout that the hub's own library makes: a blob, and a link to it in the snapshot."""
    root = cache / f"models--{repo.replace('/', '--')}"
    blob = root / "blobs" / f"{commit[:4]}-{filename.replace('/', '_')}"
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(content)
    path = root / "snapshots" / commit / filename
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(os.path.relpath(blob, path.parent))
    stamp = 1_700_000_000 - age_s
    os.utime(root / "snapshots" / commit, (stamp, stamp))
    return path


def set_main(cache: Path, repo: str, commit: str) -> None:
    ref = cache / f"models--{repo.replace('/', '--')}" / "refs" / "main"
    ref.parent.mkdir(parents=True, exist_ok=True)
    ref.write_text(commit)


def theirs(cache: Path, filename: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(REPO, filename, cache_dir=cache)
    return Path(found) if isinstance(found, str) else None


def ours(cache: Path, filename: str) -> Path | None:
    found = {file.filename: file.path for file in installed_in(GgufSource(REPO), folder=cache)}
    return found.get(filename)


def test_main_comes_first_then_the_newest(tmp_path: Path) -> None:
    put(tmp_path, REPO, OLD, "a.gguf", age_s=30)
    newer = put(tmp_path, REPO, NEW, "a.gguf", age_s=10)
    assert ours(tmp_path, "a.gguf") == newer
    main = put(tmp_path, REPO, MAIN, "a.gguf", age_s=90)
    set_main(tmp_path, REPO, MAIN)
    assert ours(tmp_path, "a.gguf") == main == theirs(tmp_path, "a.gguf")
    assert ours(tmp_path, "b.gguf") is None is theirs(tmp_path, "b.gguf")


def test_a_link_that_leads_nowhere_is_no_file(tmp_path: Path) -> None:
    path = put(tmp_path, REPO, MAIN, "a.gguf", age_s=0)
    older = put(tmp_path, REPO, OLD, "a.gguf", age_s=50)
    set_main(tmp_path, REPO, MAIN)
    path.resolve().unlink()
    assert theirs(tmp_path, "a.gguf") is None
    assert ours(tmp_path, "a.gguf") == older
    older.resolve().unlink()
    assert installed_in(GgufSource(REPO), folder=tmp_path) == ()


def test_files_in_folders(tmp_path: Path) -> None:
    path = put(tmp_path, REPO, MAIN, "Q8_0/a.gguf")
    set_main(tmp_path, REPO, MAIN)
    assert ours(tmp_path, "Q8_0/a.gguf") == path == theirs(tmp_path, "Q8_0/a.gguf")


@pytest.mark.parametrize("name", ["", "..", "../..", "/etc", "a//b", "a/../b"])
def test_names_never_lead_out_of_the_cache(tmp_path: Path, name: str) -> None:
    put(tmp_path, REPO, MAIN, "a.gguf")
    assert installed_in(GgufSource(name), folder=tmp_path) == ()
    (tmp_path / f"models--{REPO.replace('/', '--')}" / "refs").mkdir()
    set_main(tmp_path, REPO, name)
    assert ours(tmp_path, "a.gguf") is not None


def test_no_cache_at_all(tmp_path: Path) -> None:
    assert installed(resolve("phi-4-mini").variant, folder=tmp_path / "none") == ()
    assert best_installed(()) is None


@pytest.mark.process
@pytest.mark.parametrize(
    "env",
    [
        {},
        {"HF_HOME": "/a/b"},
        {"HF_HOME": "~/x"},
        {"HF_HOME": "/a", "HF_HUB_CACHE": "/c"},
        {"HF_HUB_CACHE": "$HOME/c"},
        {"HUGGINGFACE_HUB_CACHE": "/legacy"},
        {"HUGGINGFACE_HUB_CACHE": "/legacy", "HF_HUB_CACHE": "/new"},
        {"XDG_CACHE_HOME": "/xdg"},
        {"XDG_CACHE_HOME": "/xdg", "HF_HOME": "/a"},
    ],
)
def test_the_folder_is_where_huggingface_hub_says(env: dict[str, str]) -> None:
    code = "from huggingface_hub import constants; print(constants.HF_HUB_CACHE)"
    code += "\nfrom phicli.hub.cache import cache_folder; print(cache_folder())"
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGINGFACE", "XDG_"))}
    root = str(Path(__file__).parents[2])
    out = subprocess.run(
        [sys.executable, "-c", code],
        env={**kept, **env, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    first, second = out.stdout.split()
    assert second == first


def test_the_environment_is_read_at_the_call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    path = put(tmp_path, REPO, MAIN, "a.gguf")
    assert [file.path for file in installed_in(GgufSource(REPO))] == [path]
    assert cache_folder({"HF_HOME": "/elsewhere"}) == Path("/elsewhere/hub")


def test_an_empty_variable_counts_as_not_set() -> None:
    empty = dict.fromkeys(("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"), "")
    assert cache_folder(empty) == cache_folder({})
    assert cache_folder(empty | {"HF_HOME": "/a"}) == Path("/a/hub")
    assert cache_folder(empty | {"XDG_CACHE_HOME": "/x"}) == Path("/x/huggingface/hub")


def test_without_a_home_the_cache_is_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not below a folder that is called ~."""
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    assert cache_folder({}) == NOWHERE / ".cache" / "huggingface" / "hub"


def test_what_is_installed_of_a_variant(tmp_path: Path) -> None:
    variant = resolve("phi-4-mini").variant
    second, first = variant.sources[1].repo, variant.sources[0].repo
    put(tmp_path, second, OLD, "Phi-4-mini-instruct.Q8_0.gguf")
    put(tmp_path, second, OLD, "Phi-4-mini-instruct-Q4_K_M.gguf")
    put(tmp_path, second, OLD, "mmproj-F16.gguf")
    put(tmp_path, second, OLD, "README.md")
    put(tmp_path, first, NEW, "microsoft_Phi-4-mini-instruct-Q6_K_L.gguf", b"12345")
    files = installed(variant, folder=tmp_path)
    assert [(file.repo, file.quant) for file in files] == [(first, "Q6_K_L"), (second, "Q4_K_M"), (second, "Q8_0")]
    assert (files[0].size_bytes, files[0].revision) == (5, NEW)
    best = best_installed(files)
    assert best is not None
    assert best.quant == "Q4_K_M"
    assert [file.quant for file in installed(variant, "q6-k-l", folder=tmp_path)] == ["Q6_K_L"]
    assert installed(variant, "Q2_K", folder=tmp_path) == ()


def test_the_catalogue_names_the_quant_of_irregular_files(tmp_path: Path) -> None:
    source = GgufSource(REPO, files=(GgufFile("Q4_K_M", "model-q4.gguf"),))
    put(tmp_path, REPO, MAIN, "model-q4.gguf")
    put(tmp_path, REPO, MAIN, "model-q5.gguf")
    assert [file.quant for file in installed_in(source, folder=tmp_path)] == ["Q4_K_M", None]


def test_a_split_model_counts_when_all_parts_are_there(tmp_path: Path) -> None:
    put(tmp_path, REPO, MAIN, "f32/m-f32-00001-of-00002.gguf", b"123")
    assert installed_in(GgufSource(REPO), folder=tmp_path) == ()
    put(tmp_path, REPO, MAIN, "f32/m-f32-00002-of-00002.gguf", b"45")
    (file,) = installed_in(GgufSource(REPO), folder=tmp_path)
    assert (file.filename, file.quant, file.size_bytes) == ("f32/m-f32-00001-of-00002.gguf", "F32", 5)


@pytest.mark.parametrize(
    ("filename", "quant"),
    [
        ("phi-2.Q4_K_M.gguf", "Q4_K_M"),
        ("Phi-4-mini-instruct-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"),
        ("x-IQ3_XXS.gguf", "IQ3_XXS"),
        ("x-iq4_nl.gguf", "IQ4_NL"),
        ("Phi-3-mini-4k-instruct-fp16.gguf", "F16"),
        ("x-Q2_K.gguf", "Q2_K"),
        ("x-Q2_K_L.gguf", "Q2_K_L"),
        ("x.q8_0.GGUF", "Q8_0"),
        ("ggml-model-q4_0.gguf", "Q4_0"),
        ("x-bf16-00001-of-00002.gguf", "BF16"),
        ("Q8_0/x-Q6_K.gguf", "Q6_K"),
        ("phi-4-q4.gguf", None),
        ("model.gguf", None),
    ],
)
def test_the_quant_in_a_file_name(filename: str, quant: str | None) -> None:
    assert quant_of_filename(filename) == quant


def test_every_listed_file_name_tells_its_quant_or_is_listed_for_that() -> None:
    for name in ("phi-4-mini", "phi-2", "phi-4", "phi-3.5-moe", "phi-4-reasoning"):
        for source in resolve(name).variant.sources:
            for file in source.files:
                assert quant_of_filename(file.filename) in (file.quant, None), file
