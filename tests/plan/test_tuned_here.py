"""What tuning found for a file is looked up with what is known of the file, and what is stale is said once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from phicli.engine.starting import LLAMA_SERVER, EngineChoice
from phicli.hub.verified import record
from phicli.plan.description import describe
from phicli.plan.tuned_here import TunedHere, known_sha256, tuned_files, tuned_for
from phicli.records.tuned import CONVERSATION, ONE_ANSWER, Tuned
from phicli.records.tuned_files import conditions_here, save_tuned
from tests.plan.test_tuned_load import tuned
from tests.support.files import TINY_PHI
from tests.support.wheel_server import BUILD, install

XLLAMACPP = EngineChoice()


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "phi"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))


@pytest.fixture
def here() -> Tuned:
    now = conditions_here()
    return replace(tuned(), cpu=now.cpu, cores=now.cores, build=now.build)


def test_nothing_was_found() -> None:
    assert tuned_for(TINY_PHI, CONVERSATION, tell=True) == TunedHere(XLLAMACPP)
    assert tuned_files(describe("tiny-phi")) == ()


def test_what_holds_here(here: Tuned) -> None:
    save_tuned(here, TINY_PHI, None)
    assert tuned_for(TINY_PHI, CONVERSATION, tell=True) == TunedHere(XLLAMACPP, here)
    assert [found for _, found in tuned_files(describe("tiny-phi"))] == [here]
    assert [found for _, found in tuned_files(describe(str(TINY_PHI)))] == [here]


def test_what_is_stale_is_returned_once(here: Tuned) -> None:
    stale = replace(here, build="xllamacpp 1")
    save_tuned(stale, TINY_PHI, None)
    assert tuned_for(TINY_PHI, CONVERSATION, tell=False) == TunedHere(XLLAMACPP), "nobody is told"
    assert tuned_for(TINY_PHI, CONVERSATION, tell=True) == TunedHere(XLLAMACPP, None, stale)
    assert tuned_for(TINY_PHI, CONVERSATION, tell=True) == TunedHere(XLLAMACPP)
    assert tuned_files(describe("tiny-phi")) == ()


def test_a_hash_is_known_where_it_was_taken_or_is_the_name(tmp_path: Path) -> None:
    assert known_sha256(TINY_PHI) is None
    record(TINY_PHI, "ab" * 32)
    assert known_sha256(TINY_PHI) == "ab" * 32
    blob = tmp_path / ("cd" * 32)
    blob.touch()
    assert known_sha256(blob) == "cd" * 32


@pytest.fixture
def faster(here: Tuned, tmp_path: Path, starts_process: None) -> Tuned:
    """A ``llama-server`` that was faster in a conversation than the engine that is installed."""
    program = str(install(tmp_path))
    about = {"engine": LLAMA_SERVER, "program": program, "build": BUILD}
    return replace(here, **about, faster={CONVERSATION: 1.3}, faster_than=here.build)


def test_the_engine_that_was_faster_is_chosen_where_none_was_asked_for(here: Tuned, faster: Tuned) -> None:
    save_tuned(here, TINY_PHI, None)
    save_tuned(faster, TINY_PHI, None)
    program = EngineChoice(LLAMA_SERVER, Path(faster.program or ""))
    assert tuned_for(TINY_PHI, CONVERSATION, tell=True) == TunedHere(program, faster)
    assert tuned_for(TINY_PHI, ONE_ANSWER, tell=True) == TunedHere(XLLAMACPP, here)
    assert tuned_for(TINY_PHI, CONVERSATION, engine=XLLAMACPP, tell=True) == TunedHere(XLLAMACPP, here)
    assert tuned_for(TINY_PHI, ONE_ANSWER, engine=program, tell=True) == TunedHere(program, faster)
    assert [found for _, found in tuned_files(describe("tiny-phi"))] == [faster, here]


def test_without_its_program_the_default_engine_runs_and_that_is_returned_once(here: Tuned, faster: Tuned) -> None:
    save_tuned(here, TINY_PHI, None)
    save_tuned(faster, TINY_PHI, None)
    Path(faster.program or "").unlink()
    assert tuned_for(TINY_PHI, CONVERSATION, tell=False) == TunedHere(XLLAMACPP, here), "nobody is told"
    assert tuned_for(TINY_PHI, CONVERSATION, tell=True) == TunedHere(XLLAMACPP, here, faster)
    assert tuned_for(TINY_PHI, CONVERSATION, tell=True) == TunedHere(XLLAMACPP, here)
    assert [found for _, found in tuned_files(describe("tiny-phi"))] == [here]
