"""Adapters over HTTP, on the real engine: answers differ, and what one computed is never used for another."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.files import TINY_PHI
from tests.support.lora import tensors, write_gguf
from tests.support.running import Phi
from tests.support.servers import Serve, Server

pytestmark = pytest.mark.process
QUESTION = "What is the capital of France?"
PARIS = "The capital of France is Paris."
NAMES = ("tiny-phi", "tiny-phi+loud", "tiny-phi+half", "tiny-phi+other")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    loud, other = tensors(seed=3, size=1.0), tensors(seed=8, size=1.0)
    return {
        "loud": write_gguf(tmp_path / "loud.gguf", loud),
        "half": write_gguf(tmp_path / "half.gguf", loud),
        "other": write_gguf(tmp_path / "other.gguf", other),
    }


@pytest.fixture
def served(serve: Serve, files: dict[str, Path]) -> Server:
    scales = {"half": ":0.5"}
    words = [word for name, path in files.items() for word in ("--adapter", f"{path}{scales.get(name, '')}")]
    return serve("tiny-phi", *words, "--parallel", "2", "--keep-alive", "forever")


def ask(server: Server, name: str, **more: Any) -> dict[str, Any]:
    body = {"model": name, "messages": [{"role": "user", "content": QUESTION}], "temperature": 0, "max_tokens": 12}
    reply = server.post("/v1/chat/completions", body | more)
    assert reply.status == 200, reply.text
    found: dict[str, Any] = json.loads(reply.text)
    return found


def text(reply: dict[str, Any]) -> str:
    return str(reply["choices"][0]["message"]["content"])


def test_each_name_has_its_answer_in_any_order(served: Server, phi: Phi, files: dict[str, Path]) -> None:
    options = ("--temperature", "0", "--max-tokens", "12", "--no-attach")
    alone = {"tiny-phi": PARIS}
    for name, path in files.items():
        word = f"{path}:0.5" if name == "half" else str(path)
        run = phi("chat", "tiny-phi", QUESTION, "--adapter", word, "--json", *options)
        alone[f"tiny-phi+{name}"] = run.json["data"]["text"]
    assert len(set(alone.values())) == len(NAMES), "or this would show nothing"
    for first in NAMES:
        for name in (first, *NAMES):
            reply = ask(served, name)
            assert (reply["model"], text(reply)) == (name, alone[name])
    with ThreadPoolExecutor(8) as pool:
        order = [*NAMES] * 4
        assert [text(reply) for reply in pool.map(lambda name: ask(served, name), order)] == [
            alone[name] for name in order
        ]


def test_what_was_evaluated_belongs_to_its_adapter(served: Server) -> None:
    def cached(name: str) -> int:
        return int(ask(served, name)["usage"]["prompt_tokens_details"]["cached_tokens"])

    assert [cached(name) for name in NAMES] == [0, 0, 0, 0]
    assert cached("tiny-phi+other") > 0, "the same adapter again"


def test_the_list_of_models(served: Server) -> None:
    rows = json.loads(served.get("/v1/models").text)["data"]
    assert [(row["id"], row.get("parent")) for row in rows] == [
        ("tiny-phi", None), *((name, "tiny-phi") for name in NAMES[1:]),
    ]  # fmt: skip
    assert json.loads(served.get("/v1/models/tiny-phi+loud").text)["id"] == "tiny-phi+loud"
    missing = served.post("/v1/chat/completions", {"model": "tiny-phi+x", "messages": []})
    assert missing.status in (400, 404)


def test_what_is_loaded(served: Server, phi: Phi, files: dict[str, Path]) -> None:
    ask(served, "tiny-phi+half")
    (model,) = phi("ps", "--json").json["data"]["models"]
    assert [(row["name"], row["scale"], row["path"]) for row in model["adapters"]] == [
        ("loud", 1.0, str(files["loud"])), ("half", 0.5, str(files["half"])), ("other", 1.0, str(files["other"]))
    ]  # fmt: skip
    head, row = phi("ps").out.splitlines()
    assert head.split()[:2] == ["MODEL", "ADAPTERS"]
    assert "loud, half:0.5, other" in row


def test_completions_and_streams_have_it_too(served: Server) -> None:
    body = {"prompt": "The capital of France is", "temperature": 0, "max_tokens": 4}
    texts = {name: json.loads(served.post("/v1/completions", body | {"model": name}).text) for name in NAMES[:2]}
    first, second = (one["choices"][0]["text"] for one in texts.values())
    assert first != second


def test_phi_chat_is_not_lent_such_an_engine(served: Server, phi: Phi) -> None:
    run = phi("chat", "tiny-phi", QUESTION, "--verbose", "--temperature", "0")
    assert run.out.strip() == PARIS
    assert "the engine of the server uses adapters" in run.err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--adapter", "nothing"), 3, "adapter 'nothing' not found"),
        (("--adapter", str(TINY_PHI)), 8, "not an adapter"),
    ],
)
def test_what_cannot_be_served(phi: Phi, words: tuple[str, ...], code: int, says: str) -> None:
    run = phi("serve", "tiny-phi", "--port", "0", *words)
    assert (run.code, says in run.err) == (code, True), run.err


def test_an_adapter_of_another_model_is_refused(phi: Phi, tmp_path: Path) -> None:
    wide = write_gguf(tmp_path / "wide.gguf", tensors(modules={"mlp.down_proj": ("ffn_down", 8192, 3072)}))
    run = phi("serve", "tiny-phi", "--port", "0", "--adapter", str(wide))
    assert (run.code, "8192 x 3072 in the adapter" in run.err) == (2, True), run.err
    odd = write_gguf(tmp_path / "a b.gguf")
    run = phi("serve", "tiny-phi", "--port", "0", "--adapter", str(odd))
    assert (run.code, "phi adapters add" in run.err) == (2, True), run.err


def test_the_unit_names_files_from_the_root(environment: dict[str, str], files: dict[str, Path]) -> None:
    words = ["--adapter", "loud.gguf:0.5", "--adapter=other.gguf", "--print-unit"]
    done = subprocess.run(
        [sys.executable, "-m", "phicli", "serve", "tiny-phi", *words],
        cwd=files["loud"].parent, env=environment, capture_output=True, check=True,
    )  # fmt: skip
    assert f"--adapter {files['loud']}:0.5 --adapter={files['other']}" in done.stdout.decode()
