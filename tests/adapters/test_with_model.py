"""Models as they are typed with adapters."""

from __future__ import annotations

from pathlib import Path

import pytest

from phicli.adapters.registry import RegisteredAdapter, remember
from phicli.adapters.with_model import split_adapters

MODELS = ("tiny-phi", "phi-4-mini:q4_k_m", "odd+name", "dir/c++/model.gguf")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("tiny-phi", ("tiny-phi", ())),
        ("tiny-phi+facts", ("tiny-phi", ("facts",))),
        ("tiny-phi+facts:0.5+style", ("tiny-phi", ("facts:0.5", "style"))),
        ("phi-4-mini:q4_k_m+facts:-1", ("phi-4-mini:q4_k_m", ("facts:-1",))),
        ("odd+name", ("odd+name", ())),
        ("odd+name+facts", ("odd+name", ("facts",))),
        ("dir/c++/model.gguf", ("dir/c++/model.gguf", ())),
        ("dir/c++/model.gguf+facts", ("dir/c++/model.gguf", ("facts",))),
        ("tiny-phi+known:1e+1+facts", ("tiny-phi", ("known:1e+1", "facts"))),
        ("tiny-phi+", ("tiny-phi", ("",))),
        ("tiny-fee+facts", ("tiny-fee", ("facts",))),
        ("+facts", ("", ("facts",))),
        ("./dir+/gone.gguf", ("./dir+/gone.gguf", ())),
        ("/c++/gone.gguf", ("/c++/gone.gguf", ())),
    ],
)
def test_what_is_the_model_and_what_are_the_adapters(
    typed: str, expected: tuple[str, tuple[str, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHI_HOME", str(tmp_path))
    remember(RegisteredAdapter("known", Path("/known.gguf"), "known", None, None, 1, 1))
    assert split_adapters(typed, MODELS.__contains__) == expected


def test_a_file_with_the_sign_in_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a+b" / "c+d.gguf"
    path.parent.mkdir()
    path.touch()
    assert split_adapters(f"tiny-phi+{path}:0.5+e", MODELS.__contains__) == ("tiny-phi", (f"{path}:0.5", "e"))


def test_a_model_of_a_longer_name_comes_first() -> None:
    assert split_adapters("a+b+c", {"a", "a+b"}.__contains__) == ("a+b", ("c",))
