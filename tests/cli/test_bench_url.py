"""``phi bench URL`` as people run it."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from phicli.bench.endpoint.benchmark import EndpointOptions, loads_of
from phicli.engine.process import WorkerProcess
from phicli.records.history import Entry, History
from tests.engine.conftest import tiny_settings
from tests.support.endpoint import Behaviour, Endpoint
from tests.support.running import Phi
from tests.support.waiting import wait_until


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint(lambda _: Behaviour(pieces=("a ",) * 8, pause_s=0.001)) as found:
        yield found


def bench(phi: Phi, endpoint: Endpoint, *more: str, url: str = "", **environment: str) -> Any:
    given = ("bench", "--url", url or endpoint.url, "-n", "8", "-p", "32", "--requests", "4", *more)
    return phi(*given, **environment)


def kept(environment: dict[str, str]) -> tuple[Entry, ...]:
    return History(Path(environment["PHI_HOME"]) / "data" / "runs.sqlite").entries()


def test_numbers_for_each_concurrency(phi: Phi, endpoint: Endpoint, environment: dict[str, str]) -> None:
    run = bench(phi, endpoint, "--concurrency", "1,2", "--json")
    assert run.code == 0
    found = run.json["data"]["endpoint"]
    assert [level["concurrency"] for level in found["levels"]] == [1, 2]
    assert all(level["answered"] == 4 for level in found["levels"])
    assert all(one["generated_tokens"] == 8 for level in found["levels"] for one in level["answers"])
    assert found["levels"][0]["decode_tps"]["mean"] > 0
    assert run.json["data"]["hardware"]["cpu"]
    assert "measuring first-model, the first of the endpoint's 2 models" in run.err
    (entry,) = kept(environment)
    assert (entry.kind, entry.model, entry.engine, entry.build) == (
        "endpoint", "first-model", endpoint.url, "loopback-endpoint",
    )  # fmt: skip
    assert entry.run_id == found["run_id"]


def test_a_model_that_is_named(phi: Phi, endpoint: Endpoint) -> None:
    run = bench(phi, endpoint, "my-model")
    assert run.code == 0
    assert run.out.startswith(f"my-model · {endpoint.url} · loopback-endpoint\n")
    assert "4 of 4" in run.out
    assert {one.body["model"] for one in endpoint.chats} == {"my-model"}
    assert all(one.method == "POST" for one in endpoint.asked)


def test_other_formats(phi: Phi, endpoint: Endpoint) -> None:
    records = list(csv.DictReader(io.StringIO(bench(phi, endpoint, "m", "--csv").out)))
    assert [record["answered"] for record in records] == ["4"]
    assert float(records[0]["ttft_ms_p50"]) > 0
    lines = bench(phi, endpoint, "m", "--jsonl", "--concurrency", "1,2").out.splitlines()
    assert [json.loads(line)["concurrency"] for line in lines] == [1, 2]
    page = bench(phi, endpoint, "m", "--markdown").out
    assert page.startswith("| tokens | concurrency |")


URL = "http://127.0.0.1:1/v1"


@pytest.mark.parametrize(
    ("options", "requests"),
    [
        (EndpointOptions(URL, concurrency=(1, 2, 8)), [8, 8, 16]),
        (EndpointOptions(URL, concurrency=(1, 8), quick=True), [4, 16]),
        (EndpointOptions(URL, concurrency=(1, 4), repeat=3), [3, 12]),
        (EndpointOptions(URL, concurrency=(1, 4), requests=5), [5, 5]),
        (EndpointOptions(URL, concurrency=(256,), repeat=1000), [10_000]),
        (EndpointOptions(URL, prompt_tokens=(16, 64), generated_tokens=(8,)), [8, 8]),
    ],
)
def test_the_number_of_requests_is_bounded(options: EndpointOptions, requests: list[int]) -> None:
    assert [load.requests for load in loads_of(options)] == requests


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--plot", "x.svg"], "--plot cannot be used with an endpoint"),
        (["--threads", "2"], "--threads"),
        (["--depth", "10"], "--depth"),
        (["--tune"], "--tune"),
        (["-n", "0"], "--tokens 0"),
        (["a", "b"], "one model"),
    ],
)
def test_options_that_make_no_sense(phi: Phi, endpoint: Endpoint, more: list[str], words: str) -> None:
    run = bench(phi, endpoint, *more)
    assert run.code == 2
    assert words in run.err
    assert endpoint.asked == []


def test_addresses_that_are_none(phi: Phi) -> None:
    for url in ("host/v1", "http://", "file:///etc/passwd", "http://me:secret@:80/v1"):
        run = phi("bench", "--url", url)
        assert run.code == 2
        assert "not the address" in run.err
        assert "secret" not in run.err


def test_a_key_opens_it_and_never_shows(phi: Phi, endpoint: Endpoint, environment: dict[str, str]) -> None:
    endpoint.key = "key-of-mine-123"
    closed = bench(phi, endpoint)
    assert closed.code == 4
    assert "PHI_API_KEY" in closed.err
    wrong = bench(phi, endpoint, "--json", PHI_API_KEY="wrong-key-456")
    assert wrong.code == 4
    assert "wrong-key-456" not in wrong.out + wrong.err
    assert bench(phi, endpoint, OPENAI_API_KEY="key-of-mine-123").code == 4
    right = bench(phi, endpoint, "--json", PHI_API_KEY="key-of-mine-123")
    assert right.code == 0
    assert "key-of-mine-123" not in right.out + right.err
    assert b"key-of-mine-123" not in (Path(environment["PHI_HOME"]) / "data" / "runs.sqlite").read_bytes()


def test_credentials_in_the_address_are_sent_and_never_show(
    phi: Phi, endpoint: Endpoint, environment: dict[str, str]
) -> None:
    run = bench(phi, endpoint, "--json", url=endpoint.url.replace("//", "//me:geheim@") + "?token=verborgen")
    assert run.code == 0
    assert endpoint.chats[0].headers["authorization"].startswith("Basic ")
    assert endpoint.chats[0].path == "/v1/chat/completions?token=verborgen"
    database = (Path(environment["PHI_HOME"]) / "data" / "runs.sqlite").read_bytes().decode("latin-1")
    for secret in ("geheim", "verborgen"):
        assert secret not in run.out + run.err + database


def test_a_page_that_is_not_there(phi: Phi, endpoint: Endpoint) -> None:
    run = bench(phi, endpoint, url=endpoint.url.removesuffix("/v1"))
    assert run.code == 4
    assert "404" in run.err
    assert "end in /v1" in run.err


def test_one_that_hangs_ends_with_what_was_measured(phi: Phi, endpoint: Endpoint) -> None:
    endpoint.behave = lambda number: Behaviour(hangs_after=2 if number >= 6 else None)
    run = bench(phi, endpoint, "--concurrency", "1,2", "--json", PHI_ENDPOINT_TIMEOUT="3")
    assert run.code == 4
    assert run.json["error"]["code"] == "network"
    assert "sent nothing for" in run.json["error"]["message"]
    levels = run.json["data"]["endpoint"]["levels"]
    assert [level["answered"] for level in levels] == [4, 0]
    assert not run.json["data"]["endpoint"]["complete"]


def test_failures_are_shown_beside_what_worked(phi: Phi, endpoint: Endpoint) -> None:
    endpoint.behave = lambda number: Behaviour(status=429 if number == 3 else 200, body=b"slow \x1b[31mdown")
    run = bench(phi, endpoint, "m")
    assert run.code == 0
    assert "3 of 4" in run.out
    assert "1 of 4 failed (1 exceeded the rate limit)" in run.err
    assert "\x1b" not in run.out + run.err


def test_names_of_a_server_cannot_paint(phi: Phi, endpoint: Endpoint) -> None:
    endpoint.models = {"data": [{"id": "nice\x1b[2J"}, {"id": "plain"}]}
    run = bench(phi, endpoint)
    assert run.code == 0
    assert run.out.startswith("plain")


def test_a_timeout_that_is_none(phi: Phi, endpoint: Endpoint) -> None:
    for given in ("soon", "0", "-1", "1e9", "99999999"):
        assert bench(phi, endpoint, PHI_ENDPOINT_TIMEOUT=given).code == 2


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("form", ["--json", "--jsonl"])
def test_an_interruption_shows_what_was_finished(endpoint: Endpoint, environment: dict[str, str], form: str) -> None:
    endpoint.behave = lambda number: Behaviour(hangs_after=1 if number >= 6 else None)
    command = [sys.executable, "-m", "phicli", "bench", "--url", endpoint.url, "m", "-n", "8", "-p", "32"]
    process = subprocess.Popen(
        [*command, "--requests", "4", "--concurrency", "1,2", form],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_until(lambda: len(endpoint.chats) >= 8)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err, err
    found = json.loads(out)
    level = found["data"]["endpoint"]["levels"][0] if form == "--json" else found
    assert level["answered"] == 4


def test_our_own_engine_as_an_endpoint(phi: Phi, tmp_path: Path) -> None:
    process = WorkerProcess(tmp_path)
    try:
        process.load(tiny_settings(512))
        url = process.wait_ready() + "/v1"
        given = ("-n", "16", "-p", "64", "--requests", "4", "--concurrency", "1,2", "--json")
        run = phi("bench", "--url", url, *given, PHI_API_KEY=process.api_key)
    finally:
        process.close()
    assert run.code == 0
    levels = run.json["data"]["endpoint"]["levels"]
    assert [level["answered"] for level in levels] == [4, 4]
    assert all(level["mean_generated_tokens"] == 16 for level in levels)
    assert all(level["tokens_told"] for level in levels)
    # words are drawn by chance, and of the toy's vocabulary they are 2.3 tokens on average: about 64 ± 5
    assert all(abs(level["told_prompt_tokens"] - 64) <= 32 for level in levels)
    assert run.json["data"]["endpoint"]["settings"]["asked_for"][0] == "ignore_eos"
