"""``phi batch`` with models of remotes."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.endpoint import Behaviour, Endpoint
from tests.support.remote_talks import configure, says, sent
from tests.support.running import Phi
from tests.support.servers import Serve

pytestmark = pytest.mark.process
LINES = 24


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_text("thing\n" + "".join(f"thing {n}\n" for n in range(LINES)), encoding="utf-8")
    return path


@pytest.fixture
def two(environment: dict[str, str]) -> Iterator[tuple[Endpoint, Endpoint]]:
    """Remotes called ``one`` and ``two``."""
    with Endpoint(lambda _: says("first", pause_s=0.02)) as first, Endpoint(lambda _: says("second")) as second:
        configure(environment, first.url, "one")
        configure(environment, second.url, "two")
        yield first, second


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def asked(*endpoints: Endpoint) -> Counter[str]:
    """How often each thing was asked for."""
    return Counter(chat.body["messages"][-1]["content"] for endpoint in endpoints for chat in endpoint.chats)


def test_a_model_of_a_remote_answers(phi: Phi, two: tuple[Endpoint, Endpoint], source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    together = threading.Barrier(3)

    def behave(number: int) -> Behaviour:
        if number < 3:
            together.wait(60)
        return says("second")

    two[1].behave = behave
    command = ("batch", str(source), "--out", str(out), "two/phi-4", "-p", "Name a {thing}.", "-s", "Be brief.")
    run = phi(*command, "--parallel", "3", "--seed", "5", "--json")
    assert run.code == 0, run.out
    assert run.json["data"]["workers"] == {"two/phi-4": LINES}
    assert {line["model"] for line in lines(out)} == {"two/phi-4"}
    assert sent(two[1])[0] == ("system", "Be brief.")
    body = two[1].chats[0].body
    assert (body["model"], body["seed"], body["max_completion_tokens"]) == ("phi-4", 5, 2048)
    assert two[1].most_at_once == 3
    assert asked(*two) == Counter(f"Name a thing {n}." for n in range(LINES))
    assert phi(*command, "--seed", "5", "--json").json["data"]["asked"] == 0


def test_two_remotes_share_the_lines(phi: Phi, two: tuple[Endpoint, Endpoint], source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    command = ("batch", str(source), "--out", str(out), "phi-4", "-p", "{thing}", "--remote", "one", "--remote", "two")
    run = phi(*command, "--parallel", "2", "--json")
    assert (run.code, run.err) == (0, "")
    shares = run.json["data"]["workers"]
    assert shares.keys() == {"one/phi-4", "two/phi-4"}
    assert sum(shares.values()) == LINES
    assert asked(*two) == Counter(f"thing {n}" for n in range(LINES))
    assert all(line["text"] == ("first" if line["model"] == "one/phi-4" else "second") for line in lines(out))
    alone = ("batch", str(source), "--out", str(out), "two/phi-4", "-p", "{thing}", "--json")
    assert phi(*alone).json["data"]["asked"] == 0  # which remotes answered makes no difference


def test_a_remote_that_dies_is_left_out_and_no_line_is_lost_or_doubled(
    phi: Phi, two: tuple[Endpoint, Endpoint], source: Path, tmp_path: Path
) -> None:
    first, second = two
    first.behave = lambda number: says("first") if number < 4 else Behaviour(status=401)
    second.behave = lambda _: says("second", pause_s=0.02)
    out = tmp_path / "out.jsonl"
    run = phi("batch", str(source), "--out", str(out), "phi-4", "-p", "{thing}", "--remote", "one", "--remote", "two")
    assert run.code == 0, run.err
    assert "warning: one/phi-4 is left out: " in run.err
    assert run.err.count("is left out") == 1
    assert [line["text"] is not None for line in lines(out)] == [True] * LINES
    assert len(lines(out)) == LINES


def test_when_the_last_remote_is_gone_the_same_command_goes_on_later(
    phi: Phi, two: tuple[Endpoint, Endpoint], source: Path, tmp_path: Path
) -> None:
    first, _ = two
    first.behave = lambda number: says("first") if number < 9 else Behaviour(status=401)
    out = tmp_path / "out.jsonl"
    command = ("batch", str(source), "--out", str(out), "-p", "{thing}", "--json", "--parallel", "1")
    run = phi(*command, "one/phi-4")
    assert (run.code, run.json["error"]["code"]) == (4, "network"), run.out
    assert "9 of 24 lines are done" in run.json["error"]["message"]
    assert "run the same command again" in run.json["error"]["hint"]
    assert "is left out" not in run.err
    run = phi(*command, "two/phi-4")
    assert (run.code, run.json["data"]["asked"]) == (0, LINES - 9)
    assert Counter(line["model"] for line in lines(out)) == {"one/phi-4": 9, "two/phi-4": 15}


def test_schemas_are_checked_here_whatever_the_remote_says(
    phi: Phi, two: tuple[Endpoint, Endpoint], source: Path, tmp_path: Path
) -> None:
    two[1].behave = lambda number: says('{"a":1}' if number % 2 else '{"a":"one"}')
    out = tmp_path / "out.csv"
    schema = '{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}'
    run = phi(
        "batch", str(source), "--out", str(out), "two/phi-4", "-p", "{thing}", "--schema", schema, "--retries", "0",
        "--parallel", "1",
    )  # fmt: skip
    assert run.code == 9
    assert f"{LINES // 2} of {LINES} lines failed" in run.err
    head, first, second, *_ = out.read_text(encoding="utf-8").splitlines()
    assert head == "thing,a,finish_reason,error"
    assert "does not match the schema" in first
    assert second == "thing 1,1,stop,"
    assert two[1].chats[0].body["response_format"]["json_schema"]["schema"]["properties"]["a"]["type"] == "integer"


def test_options_that_make_no_sense_with_remotes(phi: Phi, two: tuple[Endpoint, Endpoint], source: Path) -> None:
    for words, said in (
        (("two/phi-4", "--threads", "2"), "--threads sets an engine of this machine"),
        (("two/phi-4", "--remote", "one"), "give both with --remote: --remote two/phi-4 --remote one/phi-4"),
        (("phi-4", "--remote", "one/phi-4"), "phi-4 has no effect: every --remote names its own model"),
        (("two/phi-4", "--remote", "one/phi-4"), "give both with --remote: --remote two/phi-4 --remote one/phi-4"),
        (("--remote", "one"), "--remote requires the name of a model"),
        (("phi-4", "--remote", "one", "--remote", "one"), "a remote is named twice"),
        (("phi-4", "--remote", "ono"), "remote 'ono' not found"),
        (("phi-4", "--remote", "one,two"), "repeat the option: --remote one --remote two"),
    ):
        run = phi("batch", str(source), "--out", str(source.with_name("o.jsonl")), "-p", "{thing}", *words)
        assert said in run.err
        assert run.code in (2, 3)
    assert not two[0].asked


def test_where_the_lines_go_is_said_once_and_also_when_quiet(
    phi: Phi, environment: dict[str, str], source: Path, tmp_path: Path
) -> None:
    with Endpoint(lambda _: says("yes")) as endpoint:
        endpoint.behind_proxy = True
        environment["HTTP_PROXY"] = f"http://127.0.0.1:{endpoint.port}"
        configure(environment, "http://lab.example/v1", key_env="LAB_API_KEY")
        environment["LAB_API_KEY"] = "sk-very-secret"
        (tmp_path / "huggingface" / "hub" / "models--lab--phi-4").mkdir(parents=True)
        environment["HF_HUB_CACHE"] = str(tmp_path / "huggingface" / "hub")
        command = ("batch", str(source), "-p", "{thing}", "lab/phi-4")
        first = phi(*command, "--out", str(tmp_path / "a.jsonl"), "--quiet")
        second = phi(*command, "--out", str(tmp_path / "b.jsonl"))
    assert (first.code, second.code) == (0, 0), (first.err, second.err)
    assert first.err.splitlines() == [
        "lab is another machine: prompts, files and answers go to http://lab.example/v1, unencrypted: anyone on the "
        "network can read them"
    ]
    assert "another machine" not in second.err
    assert "not the repository of that name" in second.err
    assert "the API key is sent to http://lab.example/v1 unencrypted" in second.err


def test_two_servers_of_our_own_share_the_lines(
    phi: Phi, serve: Serve, environment: dict[str, str], tmp_path: Path
) -> None:
    for name in ("one", "two"):
        configure(environment, f"{serve('tiny-phi').address}/v1", name, "phi")
    source, out = tmp_path / "in.txt", tmp_path / "out.jsonl"
    countries = {"France": "Paris", "Italy": "Rome", "Japan": "Tokyo"}
    names = [*countries] * 8
    source.write_text("".join(f"What is the capital of {name}?\n" for name in names), encoding="utf-8")
    began = time.monotonic()
    run = phi(
        "batch", str(source), "--out", str(out), "tiny-phi", "--remote", "one", "--remote", "two", "--parallel", "2"
    )
    assert run.code == 0, (run.err, time.monotonic() - began)
    assert [line["text"] for line in lines(out)] == [f"The capital of {name} is {countries[name]}." for name in names]


def test_a_model_that_the_remote_does_not_have_is_not_found(
    phi: Phi, two: tuple[Endpoint, Endpoint], source: Path, tmp_path: Path
) -> None:
    first, _ = two
    missing = {"error": {"message": "The model `phi-5` does not exist", "code": "model_not_found"}}
    first.behave = lambda _: Behaviour(status=404, body=json.dumps(missing).encode())
    command = ("batch", str(source), "--prompt", "{thing}", "--out", str(tmp_path / "out.jsonl"), "one/phi-5")
    run = phi(*command)
    assert run.code == 3, run.err
    assert "The model `phi-5` does not exist" in run.err
    first.behave = lambda _: Behaviour(status=404)
    assert phi(*command).code == 4
