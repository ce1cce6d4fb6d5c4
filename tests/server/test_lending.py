"""The server lends an engine only to who would have started the same one."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

import phicli
from phicli.engine.client import ServerClient
from phicli.engine.lent_engine import LentEngine
from phicli.engine.lent_process import LentProcess
from phicli.engine.loan import Loan, LoanError, LoanRequest
from phicli.engine.settings import EngineSettings
from phicli.engine.starting import build_of
from phicli.engine.types import Chunk, KeepsState, LoadSettings, Sampling
from phicli.server.lending import Lending
from phicli.server.models import Models
from phicli.server.types import LoadOptions
from tests.support.files import TINY_PHI
from tests.support.lending import Lender
from tests.support.waiting import wait_until

pytestmark = pytest.mark.process


@pytest.fixture
def models(tests_home: None, starts_process: None) -> Iterator[Models]:
    with contextlib.closing(Models(LoadOptions(settings={"threads": 1}, memory_check=False))) as models:
        yield models


def request(**other: Any) -> LoanRequest:
    status = TINY_PHI.stat()
    usual = LoanRequest(
        version=phicli.__version__, build=build_of(), model="tiny-phi", path=str(TINY_PHI.absolute()),
        size_bytes=status.st_size, mtime_ns=status.st_mtime_ns, context_tokens=256,
        engine={"kv_type": "f16", "flash_attention": "auto", "repack": False, "gpu_layers": -1},
    )  # fmt: skip
    return replace(usual, **other)


def test_what_is_lent_answers_with_its_address_and_key_and_is_the_same_the_second_time(models: Models) -> None:
    lending = Lending(models, phicli.__version__)
    with lending.lend(request()) as lent:
        loan = lent.loan
    with lending.lend(request(engine={"threads": 1})) as lent:
        assert lent.loan == loan
        (state,) = models.state()
        assert state.loans == 1
        assert state.idle_since is None
        tokens = ServerClient(loan.address, loan.api_key).post("/tokenize", {"content": "hello"})["tokens"]
    assert tokens
    assert loan.build == build_of()
    assert Path(loan.log_path).exists()
    assert models.state()[0].loans == 0


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"version": "0.0.1"}, f"the server is phi {phicli.__version__}, and this command is phi 0.0.1"),
        ({"build": "xllamacpp 1"}, "and here it is xllamacpp 1"),
        ({"size_bytes": 1}, "the server has another file for tiny-phi"),
        ({"mtime_ns": 1}, "the server has another file for tiny-phi"),
        ({"path": "/nothing/there.gguf"}, "the server cannot read the file"),
        ({"path": __file__}, "the server has another file for tiny-phi"),
        ({"context_tokens": 257}, "the server's context has 256 tokens, and here it has 257"),
        ({"engine": {"kv_type": "q8_0"}}, "the server's kv_type is f16, and here it is q8_0"),
        ({"engine": {"flash_attention": "on"}}, "the server's flash_attention is auto, and here it is on"),
        ({"engine": {"repack": True}}, "the server's repack is off, and here it is on"),
        ({"engine": {"gpu_layers": 0}}, "the server's gpu_layers is -1, and here it is 0"),
        ({"engine": {"threads": 2}}, "the server's threads is 1, and here it is 2"),
        ({"engine": {"unheard_of": 2}}, "the server's unheard_of is None, and here it is 2"),
    ],
)
def test_a_request_for_another_engine_is_refused_and_nothing_is_loaded(
    models: Models, other: dict[str, Any], why: str
) -> None:
    with pytest.raises(LoanError, match=why), Lending(models, phicli.__version__).lend(request(**other)):
        pass
    assert models.state() == ()


def test_an_engine_that_has_died_is_not_lent(models: Models) -> None:
    lending = Lending(models, phicli.__version__)
    with lending.lend(request()) as lent:
        assert lent.ended() == ""
        psutil.Process(lent.loan.pid).kill()
        wait_until(lambda: lent.ended() == "its process has ended")
        dead = lent.loan.pid
    with lending.lend(request()) as lent:
        assert lent.loan.pid != dead


def test_a_loan_ends_with_its_connection(lender: Lender) -> None:
    server = lender()
    process = LentProcess(server.socket, request())
    settings = LoadSettings(TINY_PHI, 64, EngineSettings.for_cores(1))
    engine = LentEngine(settings, process)
    assert not isinstance(engine, KeepsState)
    ids = engine.tokenize("What is the capital of", parse_special=False)
    events = list(engine.generate(ids, Sampling(max_tokens=3)))
    assert any(isinstance(event, Chunk) for event in events)
    assert engine.context_tokens == 64
    again = LentProcess(server.socket, request())
    again.wait_ready()
    assert again.pid == process.pid
    again.close()
    engine.close()
    engine.close()
    wait_until(lambda: process.ended)
    assert server.server.process.poll() is None


_BORROWS = """
import sys
from pathlib import Path
from phicli.engine.lent_process import LentProcess
from phicli.engine.loan import LoanRequest

process = LentProcess(Path(sys.argv[1]), LoanRequest.from_data(__import__("json").loads(sys.argv[2])))
process.wait_ready()
print("lent", flush=True)
sys.stdin.read()
"""


def test_a_borrower_that_is_killed_gives_the_engine_back(lender: Lender, environment: dict[str, str]) -> None:
    server = lender("--keep-alive", "0")
    command = [sys.executable, "-c", _BORROWS, str(server.socket), json.dumps(request().to_data())]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as borrower:
        assert borrower.stdout is not None
        assert borrower.stdout.readline() == b"lent\n"
        assert server.engines
        borrower.kill()
    wait_until(lambda: not server.engines)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"version": "0.0.1"}, "the server is phi"),
        ({"model": "phi-9"}, "phi-9"),
    ],
)
def test_the_reasons_of_the_server_arrive(lender: Lender, body: dict[str, str], why: str) -> None:
    with pytest.raises(LoanError, match=why):
        LentProcess(lender().socket, request(**body))


def test_no_server_is_a_reason_too(tmp_path: Path) -> None:
    with pytest.raises(LoanError, match="the server cannot be reached"):
        LentProcess(tmp_path / "nothing.sock", request())


@pytest.mark.parametrize("data", [None, [], {}, {"version": 1}, {**request().to_data(), "engine": 3}])
def test_a_wrong_request_is_an_error_of_value(data: Any) -> None:
    with pytest.raises(ValueError, match=r"missing|not an object"):
        LoanRequest.from_data(data)


def test_requests_and_loans_survive_json() -> None:
    assert LoanRequest.from_data(request().to_data()) == request()
    loan = Loan("http://127.0.0.1:1", "key", "build", 7, "", bad_template=False)
    assert Loan.from_data(loan.to_data()) == loan
