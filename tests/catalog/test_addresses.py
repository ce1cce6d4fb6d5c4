"""Addresses of the hub as names of models."""

from __future__ import annotations

import pytest

from phicli.catalog.addresses import Address, is_address, read_address
from phicli.errors import UsageError

REPO = "bartowski/phi-4-GGUF"
WEB = f"https://huggingface.co/{REPO}"
FILE = "phi-4-Q4_K_M.gguf"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f"hf://{REPO}", REPO),
        (f" hf://{REPO}/ ", REPO),
        (f"HF://{REPO}", REPO),
        (f"hf://models/{REPO}", REPO),
        (f"hf://{REPO}:Q8_0", f"{REPO}:Q8_0"),
        (f"hf://{REPO}/{FILE}", f"{REPO}:{FILE}"),
        (f"hf://{REPO}/Q4/{FILE}", f"{REPO}:Q4/{FILE}"),
        (f"hf://{REPO}@main/{FILE}", f"{REPO}:{FILE}"),
        (f"hf.co/{REPO}", REPO),
        (f"hf.co/{REPO}:Q4_K_M", f"{REPO}:Q4_K_M"),
        (f"huggingface.co/{REPO}", REPO),
        (WEB, REPO),
        (f"{WEB}/", REPO),
        (f"http://www.huggingface.co/{REPO}", REPO),
        (f"https://hf.co/{REPO}", REPO),
        (f"{WEB}/tree/main", REPO),
        (f"{WEB}/tree/main/", REPO),
        (f"{WEB}/tree", REPO),
        (f"{WEB}/tree/main/some-folder", REPO),
        (f"{WEB}/blob/main/{FILE}", f"{REPO}:{FILE}"),
        (f"{WEB}/resolve/main/{FILE}?download=true", f"{REPO}:{FILE}"),
        (f"{WEB}/raw/main/Q4/{FILE}#top", f"{REPO}:Q4/{FILE}"),
        (f"{WEB}/blob/main/a%20b.gguf", f"{REPO}:a b.gguf"),
        (f"{WEB}?show_file_info={FILE}", f"{REPO}:{FILE}"),
        (f"{WEB}?library=transformers", REPO),
        (f"{WEB}/discussions/3", REPO),
        ("https://huggingface.co/microsoft/Phi-4-mini-instruct", "microsoft/Phi-4-mini-instruct"),
    ],
)
def test_an_address_leads_to_a_repository_or_a_file(text: str, name: str) -> None:
    address = read_address(text)
    assert is_address(text)
    assert address is not None
    assert (address.name, address.revision) == (name, None)


@pytest.mark.parametrize(
    ("text", "revision"),
    [
        (f"{WEB}/tree/v1", "v1"),
        (f"{WEB}/blob/refs%2Fpr%2F1/{FILE}", "refs/pr/1"),
        (f"hf://{REPO}@0123abc/{FILE}", "0123abc"),
    ],
)
def test_an_address_may_have_a_revision(text: str, revision: str) -> None:
    address = read_address(text)
    assert address is not None
    assert (address.repo, address.revision) == (REPO, revision)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("https://huggingface.co/", "does not lead to a model"),
        ("https://huggingface.co/microsoft", "does not lead to a model"),
        ("https://huggingface.co/datasets/a/b", "does not lead to a model"),
        ("hf://datasets/a/b", "does not lead to a model"),
        ("hf://", "does not lead to a model"),
        ("hf://one", "does not lead to a model"),
        ("hf://../../etc", "does not lead to a model"),
        ("https://huggingface.co/a/..%2F..%2Fetc", "does not lead to a model"),
        (f"{WEB}/blob/main/README.md", "README.md, which is not a GGUF file"),
        (f"hf://{REPO}/model.safetensors", "model.safetensors, which is not a GGUF file"),
    ],
)
def test_an_address_that_leads_elsewhere_is_an_error(text: str, why: str) -> None:
    assert is_address(text)
    with pytest.raises(UsageError, match=why):
        read_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "phi-4",
        REPO,
        f"{REPO}:Q4_K_M",
        "https://example.com/a/b",
        "https://[x",
        "hf:/a/b",
        "ahf://a/b",
        "/hf.co/a/b",
    ],
)
def test_other_text_is_not_an_address(text: str) -> None:
    assert not is_address(text)
    assert read_address(text) is None


def test_the_hub_that_is_used_here_has_addresses_too() -> None:
    mirror = "http://user:secret@127.0.0.1:8080/hub/"
    for text in (f"http://127.0.0.1:8080/hub/{REPO}", f"http://user:secret@127.0.0.1:8080/hub/{REPO}/tree/main"):
        assert read_address(text, mirror) == Address(REPO)
    assert read_address("http://127.0.0.1:8080/hub/v1", mirror) is None  # an endpoint on the same machine
    assert read_address(f"http://127.0.0.1:8081/hub/{REPO}", mirror) is None
    assert read_address(f"http://127.0.0.1:8080/other/{REPO}", mirror) is None
    assert read_address(f"{WEB}/blob/main/{FILE}", mirror) == Address(REPO, FILE)
    assert read_address(WEB, "https://[x") == Address(REPO)
