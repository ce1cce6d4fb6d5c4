"""What an engine has evaluated, saved in a file and restored by another engine."""

from __future__ import annotations

import shutil
import stat
import struct
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.engine.abilities import Ability
from phicli.engine.llama_server_program import NativeServerEngine
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.starting import DEFAULT_ENGINE, can
from phicli.engine.state_file import saved_ids
from phicli.engine.state_types import KeepsState
from phicli.engine.types import Done, Sampling
from phicli.errors import EngineError
from tests.engine.conftest import QUESTION, tiny_settings
from tests.support.disks import small_file_system

BINARY = shutil.which("llama-server")
LONG = Sampling(max_tokens=40, ignore_eos=True)


class Starter:
    """Starts engines of one kind, which keep their states in a folder, and ends them all."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.folder, self.ends = kind, folder, ExitStack()

    def start(self, context_tokens: int, *, folder: Path | None = None, keeps: bool = True) -> LlamaServerEngine:
        settings = replace(tiny_settings(context_tokens), slot_folder=(folder or self.folder) if keeps else None)
        native = self.kind == "native" and BINARY is not None
        engine = NativeServerEngine(settings, Path(str(BINARY))) if native else LlamaServerEngine(settings)
        self.ends.callback(engine.close)
        return engine


@pytest.fixture(params=["llama", "native"] if BINARY else ["llama"])
def starter(request: pytest.FixtureRequest, tmp_path: Path, starts_process: None) -> Iterator[Starter]:
    made = Starter(request.param, tmp_path)
    with made.ends:
        yield made


def last(engine: LlamaServerEngine, prompt: tuple[int, ...], sampling: Sampling = LONG) -> Done:
    done = list(engine.generate(prompt, sampling))[-1]
    assert isinstance(done, Done)
    assert done.token_ids is not None
    return done


def test_a_larger_engine_goes_on_where_the_first_one_was(starter: Starter) -> None:
    small, path = starter.start(512), starter.folder / "state"
    assert isinstance(small, KeepsState)
    prompt = small.tokenize(QUESTION, parse_special=True)
    whole = last(starter.start(1024), prompt).token_ids or ()
    begun = last(small, prompt, replace(LONG, max_tokens=20)).token_ids or ()
    ids = small.save_state(path)
    small.close()
    assert ids == (*prompt, *begun[:-1])  # nothing was evaluated behind the last one
    large = starter.start(1024)
    assert large.restore_state(path) == len(ids)
    rest = last(large, (*prompt, *begun), replace(LONG, max_tokens=20))
    assert rest.usage.cached_tokens == len(ids)
    assert (*begun, *(rest.token_ids or ())) == whole


def test_nobody_else_may_read_a_state(starter: Starter) -> None:
    path = starter.folder / "state"
    path.write_bytes(b"of an earlier answer" * 100)
    path.chmod(0o600)
    assert starter.start(256).save_state(path) == ()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_engine_that_was_given_no_folder_saves_nothing(starter: Starter) -> None:
    with pytest.raises(EngineError):
        starter.start(256, keeps=False).save_state(starter.folder / "state")


def test_a_disk_that_is_full_is_noticed(starter: Starter, tmp_path: Path) -> None:
    with small_file_system(tmp_path / "small", "size=16k") as folder:
        engine = starter.start(256, folder=folder)
        last(engine, engine.tokenize(QUESTION, parse_special=True))
        with pytest.raises(EngineError):
            engine.save_state(folder / "state")
        assert last(engine, engine.tokenize(QUESTION, parse_special=True)).token_ids
        engine.close()


@pytest.mark.skipif(sys.platform == "win32", reason="its folders have no such name")
def test_a_folder_with_spaces_and_letters_of_any_kind(starter: Starter) -> None:
    folder = starter.folder / "a folder, größer als «zuvor»"
    folder.mkdir()
    engine = starter.start(256, folder=folder)
    last(engine, engine.tokenize(QUESTION, parse_special=True))
    assert engine.save_state(folder / "state")


def state_bytes(*words: int, magic: int = 0x67677371) -> bytes:
    return struct.pack(f"<III{len(words)}i", magic, 4, len(words), *words) + b"keys and values"


@pytest.mark.parametrize(
    ("content", "ids"),
    [
        (state_bytes(5, 6, 7), (5, 6, 7)),  # as older versions write it
        (state_bytes(-1, 1, 2, 8, 9, 0), (8, 9)),
        (state_bytes(-1, 1, 0, 0), ()),
        (state_bytes(), ()),
    ],
)
def test_the_tokens_of_a_state(tmp_path: Path, content: bytes, ids: tuple[int, ...]) -> None:
    path = tmp_path / "state"
    path.write_bytes(content)
    assert saved_ids(path, len(content)) == ids


@pytest.mark.parametrize(
    "content",
    [b"", b"GGUF", state_bytes(1, magic=1), state_bytes(-1, 1, 5, 8), state_bytes(-1, 1), state_bytes(1)[:14]],
)
def test_a_file_that_is_not_a_state(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state"
    path.write_bytes(content)
    with pytest.raises(EngineError, match="format is unknown"):
        saved_ids(path, len(content))


def test_a_state_of_which_a_part_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_bytes(state_bytes(1, 2, 3))
    with pytest.raises(EngineError, match="not complete"):
        saved_ids(path, 1000)


def test_the_default_engine_keeps_states() -> None:
    assert can(DEFAULT_ENGINE, Ability.STATES)
