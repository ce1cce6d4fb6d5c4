"""``phi batch`` over several ``phi serve``, one of which fails: every line is in the output once, in order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.endpoint import Behaviour, Endpoint
from tests.support.remote_talks import configure
from tests.support.remotes import chunk, raw
from tests.support.servers import Serve, Server

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix"),
]

CAPITALS = {"France": "Paris", "Italy": "Rome", "Japan": "Tokyo"}
NAMES = [*CAPITALS] * 16
TOKEN_MS = 15.0


@contextmanager
def batch(
    environment: Mapping[str, str], folder: Path, count: int, dead_after_s: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A batch over the remotes ``s1``, ``s2``, …; one that sends nothing for so long is dead."""
    source = folder / "in.txt"
    source.write_text("".join(f"What is the capital of {name}?\n" for name in NAMES), encoding="utf-8")
    remotes = [word for number in range(1, count + 1) for word in ("--remote", f"s{number}")]
    command = [
        sys.executable, "-m", "phicli", "batch", str(source), "--out", str(folder / "out.jsonl"), "tiny-phi", *remotes,
        "--parallel", "2", "--json",
    ]  # fmt: skip
    limit = {} if dead_after_s is None else {"PHI_ENDPOINT_TIMEOUT": str(dead_after_s)}
    with subprocess.Popen(
        command, env={**environment, **limit},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def report_of(process: subprocess.Popen[str]) -> tuple[dict[str, Any], str]:
    """The report, and standard error."""
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    return json.loads(out)["data"], err


def answered_by(folder: Path, name: str) -> int:
    """How many results of a remote are saved."""
    journal = folder / "out.jsonl.journal"
    return journal.read_text(encoding="utf-8").count(f'"model": "{name}/tiny-phi"') if journal.exists() else 0


def wait_for(process: subprocess.Popen[str], condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def check(folder: Path, report: Mapping[str, Any], foreign: str = "") -> Counter[str]:
    """See that every line is there once, in order and right; ``foreign`` is what an endpoint of the test says."""
    with (folder / "out.jsonl").open(encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    assert [line["id"] for line in lines] == list(range(1, len(NAMES) + 1))
    for name, line in zip(NAMES, lines, strict=True):
        own = f"The capital of {name} is {CAPITALS[name]}."
        assert line["text"] == (foreign if foreign and line["model"] == "s1/tiny-phi" else own)
        assert line["error"] is None
    shares = Counter(line["model"] for line in lines)
    assert report["workers"] == shares
    assert (report["asked"], report["answered"], report["failed"]) == (len(NAMES), len(NAMES), 0)
    return shares


@pytest.fixture(params=[2, 4])
def servers(request: pytest.FixtureRequest, serve: Serve, environment: dict[str, str]) -> list[Server]:
    """Two or four, as remotes ``s1``, ``s2``, …"""
    started = [serve("tiny-phi", token_ms=TOKEN_MS) for _ in range(request.param)]
    for number, server in enumerate(started, 1):
        configure(environment, f"{server.address}/v1", f"s{number}", "phi")
    return started


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_server_that_is_killed_or_hangs_is_left_out(
    servers: list[Server], environment: dict[str, str], tmp_path: Path, how: signal.Signals
) -> None:
    first = servers[0].process
    dead_after_s = 5 if how == signal.SIGSTOP else None  # a busy machine may be silent for long, too
    with batch(environment, tmp_path, len(servers), dead_after_s) as process:
        wait_for(process, lambda: answered_by(tmp_path, "s1") >= 3)
        first.send_signal(how)
        try:
            report, err = report_of(process)
        finally:
            if first.poll() is None:
                os.kill(first.pid, signal.SIGCONT)
    shares = check(tmp_path, report)
    assert err.count("is left out") == 1
    assert "warning: s1/tiny-phi is left out: " in err
    assert 3 <= shares["s1/tiny-phi"] < len(NAMES) / 2
    assert len(shares) == len(servers)


@pytest.mark.parametrize("count", [2, 4])
def test_a_slow_server_does_less(serve: Serve, environment: dict[str, str], tmp_path: Path, count: int) -> None:
    for number in range(1, count + 1):
        server = serve("tiny-phi", token_ms=20 * TOKEN_MS if number == 1 else TOKEN_MS)
        configure(environment, f"{server.address}/v1", f"s{number}", "phi")
    with batch(environment, tmp_path, count) as process:
        report, err = report_of(process)
    shares = check(tmp_path, report)
    assert err == ""
    assert shares["s1/tiny-phi"] < min(shares[f"s{number}/tiny-phi"] for number in range(2, count + 1))


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (
            raw(chunk({"content": "It is."}, model="gpt-9"), chunk({}, "stop", model="gpt-9")),
            "note: s1 answers with another model: gpt-9 in place of tiny-phi",
        ),
        (Behaviour(cut_after=1, pause_s=0.02), "warning: s1/tiny-phi is left out: "),
    ],
)
def test_a_server_that_answers_another_model_or_sends_half_a_stream_is_named(
    serve: Serve, environment: dict[str, str], tmp_path: Path, count: int, trouble: Behaviour, said: str
) -> None:
    with Endpoint(lambda _: trouble) as first:
        configure(environment, first.url, "s1", "phi")
        for number in range(2, count + 1):
            server = serve("tiny-phi", token_ms=TOKEN_MS)
            configure(environment, f"{server.address}/v1", f"s{number}", "phi")
        with batch(environment, tmp_path, count) as process:
            report, err = report_of(process)
    shares = check(tmp_path, report, "It is.")
    assert err.count(said) == 1
    assert (shares["s1/tiny-phi"] > 0) == ("another model" in said)
