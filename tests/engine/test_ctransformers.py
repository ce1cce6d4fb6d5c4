"""The engine ctransformers on files whose answers are known; the contract is in ``test_contract.py``."""

from __future__ import annotations

import importlib.metadata
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from phicli.engine import ctransformers_process
from phicli.engine import ctransformers_worker as worker
from phicli.engine.ctransformers_engine import CtransformersEngine
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.settings import EngineSettings
from phicli.engine.types import Chunk, Done, Engine, LoadSettings, Prefill, Sampling
from phicli.errors import EngineDiedError, EngineError, TemplateError
from phicli.gguf_file.header import read_header
from phicli.gguf_file.llama_file import write_llama_file
from tests.support.lookback import NEEDS_CTRANSFORMERS, expected, pair_ids, write_lookback, write_script
from tests.support.processes import gone

pytestmark = [pytest.mark.process, NEEDS_CTRANSFORMERS]
PROMPT = tuple(pair_ids()[at] for at in (5, 17, 99, 60, 3, 44, 71, 8, 110, 20, 31))
THREE = EngineSettings(threads=1, batch_tokens=3)


def rewritten(source: Path) -> Path:
    path = source.with_name(f"llama-{source.name}")
    write_llama_file(read_header(source), path, source_sha256="0" * 64, on_bytes=lambda done, total: None)
    return path


def done_of(engine: Engine, prompt: tuple[int, ...], sampling: Sampling) -> Done:
    *_, done = engine.generate(prompt, sampling)
    assert isinstance(done, Done)
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def lookback(folder: Path) -> Path:
    write_lookback(folder / "lookback.gguf")
    return rewritten(folder / "lookback.gguf")


@pytest.fixture(scope="module")
def engine(lookback: Path, folder: Path) -> Iterator[CtransformersEngine]:
    made = CtransformersEngine(LoadSettings(lookback, 128, THREE), log_dir=folder / "logs")
    yield made
    made.close()


@pytest.fixture(scope="module")
def emoji(folder: Path) -> Iterator[CtransformersEngine]:
    """It says an emoji byte by byte, and then a word."""
    write_script(folder / "emoji.gguf", ["<0xF0>", "<0x9F>", "<0x8E>", "<0x89>", "▁yes"])
    made = CtransformersEngine(LoadSettings(rewritten(folder / "emoji.gguf"), 64, EngineSettings(1)))
    yield made
    made.close()


@pytest.mark.parametrize(
    ("quant", "heads", "kv_heads"),
    [("F16", 8, 8), ("F16", 40, 10), ("Q8_0", 8, 2), ("Q4_0", 12, 4), ("Q4_K", 8, 8), ("Q4_K", 12, 4)],
)
def test_answers_are_those_of_the_default_engine_on_the_original(
    tmp_path: Path, quant: str, heads: int, kv_heads: int
) -> None:
    source = tmp_path / "model.gguf"
    write_lookback(source, quant=quant, heads=heads, kv_heads=kv_heads)
    load = LoadSettings(source, 128, EngineSettings(1))
    sampling, answers = Sampling(max_tokens=24), list[tuple[int, ...] | None]()
    for made in (LlamaServerEngine(load), CtransformersEngine(replace(load, model_path=rewritten(source)))):
        answers.append(done_of(made, PROMPT, sampling).token_ids)
        made.close()
    assert answers == [expected(PROMPT, 24)] * 2


def test_the_build_is_that_of_the_package(engine: CtransformersEngine) -> None:
    engine.wait_ready()
    assert engine.build == f"ctransformers {importlib.metadata.version('ctransformers')}"
    assert psutil.Process(engine.pid).is_running()


def test_a_prompt_is_evaluated_in_batches(engine: CtransformersEngine) -> None:
    prompt = tuple(pair_ids()[at] for at in range(20, 30))
    events = list(engine.generate(prompt, Sampling(max_tokens=1)))
    told = [(event.processed, event.total, event.cached) for event in events if isinstance(event, Prefill)]
    assert told == [(0, 10, 0), (3, 10, 0), (6, 10, 0), (9, 10, 0), (10, 10, 0)]


def test_a_common_beginning_is_not_evaluated_again(engine: CtransformersEngine) -> None:
    other = (*PROMPT[:6], *reversed(PROMPT[6:]))
    done_of(engine, PROMPT, Sampling(max_tokens=5))
    for prompt, cached in ((other, 6), (PROMPT, 6), (PROMPT[:4], 3), (other, 4)):
        done = done_of(engine, prompt, Sampling(max_tokens=9))
        assert done.token_ids == expected(prompt, 9)
        assert done.usage.cached_tokens == cached


def test_a_seed_repeats_an_answer(engine: CtransformersEngine) -> None:
    hot = Sampling(temperature=100.0, top_k=0, top_p=1.0, max_tokens=12, ignore_eos=True)
    first, again, other = (done_of(engine, PROMPT, replace(hot, seed=seed)).token_ids for seed in (7, 7, 8))
    assert first == again != other
    assert len(set(first or ())) > 6  # the tokens are drawn independently of each other
    free = {done_of(engine, PROMPT, hot).token_ids for _ in range(2)}
    assert len(free) == 2


@pytest.mark.parametrize("narrow", [{"top_k": 1}, {"top_p": 0.0}], ids=str)
def test_a_narrow_choice_is_the_likeliest_token(engine: CtransformersEngine, narrow: dict[str, float]) -> None:
    hot = Sampling(**{"temperature": 5.0, "top_k": 0, "top_p": 1.0, "max_tokens": 9, "seed": 1, **narrow})  # type: ignore[arg-type]
    assert done_of(engine, PROMPT, hot).token_ids == expected(PROMPT, 9)


def test_a_penalty_changes_what_was_said_before(engine: CtransformersEngine) -> None:
    prompt = (pair_ids()[0], pair_ids()[1]) * 4
    usual = done_of(engine, prompt, Sampling(max_tokens=4)).token_ids
    assert usual == expected(prompt, 4)
    assert done_of(engine, prompt, Sampling(max_tokens=4, repeat_penalty=10.0)).token_ids != usual
    assert done_of(engine, prompt, Sampling(max_tokens=4, repeat_penalty=10.0, repeat_last_n=0)).token_ids == usual


@pytest.mark.parametrize(
    "change", [{"mirostat": 2}, {"xtc_probability": 1.0}, {"min_p": 1.0}, {"samplers": ("top_k",)}], ids=str
)
def test_samplers_that_it_lacks_have_no_effect(engine: CtransformersEngine, change: dict[str, Any]) -> None:
    usual = Sampling(temperature=50.0, top_k=0, top_p=1.0, max_tokens=9, seed=1)
    assert done_of(engine, PROMPT, replace(usual, **change)).token_ids == done_of(engine, PROMPT, usual).token_ids


def test_it_has_no_templates(engine: CtransformersEngine) -> None:
    with pytest.raises(TemplateError, match="no chat templates"):
        engine.render_template([{"role": "user", "content": "hello"}])


def test_tokens_beyond_the_vocabulary_are_refused(engine: CtransformersEngine) -> None:
    for token_id in (-1, 100_000):
        with pytest.raises(EngineError, match="tokens that the vocabulary does not have"):
            next(engine.generate((*PROMPT, token_id), Sampling()))


def test_a_process_that_ends_in_the_middle_of_a_line_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "program.py"
    program.write_text("""print('{"build"', end="", flush=True)""")
    monkeypatch.setattr(ctransformers_process, "_PROGRAM", program)
    engine = CtransformersEngine(LoadSettings(tmp_path / "model.gguf", 64, EngineSettings(1)), log_dir=tmp_path)
    with pytest.raises(EngineDiedError, match="could not load the model"):
        engine.wait_ready()
    engine.close()


def test_a_character_comes_whole(emoji: CtransformersEngine) -> None:
    (start,) = emoji.tokenize("<|assistant|>", parse_special=True)
    *events, done = emoji.generate((start,), Sampling())
    chunks = [event for event in events if isinstance(event, Chunk)]
    assert [(chunk.text, chunk.tokens) for chunk in chunks] == [("🎉", 4), (" yes", 1)]
    assert isinstance(done, Done)
    assert (done.finish_reason, done.usage.completion_tokens) == ("stop", 6)
    assert done.token_ids == tuple(token for chunk in chunks for token in chunk.token_ids or ())


def test_half_a_character_is_not_text(emoji: CtransformersEngine) -> None:
    (start,) = emoji.tokenize("<|assistant|>", parse_special=True)
    *events, done = emoji.generate((start,), Sampling(max_tokens=2))
    assert not [event for event in events if isinstance(event, Chunk)]
    assert isinstance(done, Done)
    assert (done.finish_reason, len(done.token_ids or ())) == ("length", 2)


def test_the_end_can_be_forbidden(emoji: CtransformersEngine) -> None:
    (start,) = emoji.tokenize("<|assistant|>", parse_special=True)
    done = done_of(emoji, (start,), Sampling(max_tokens=8, ignore_eos=True))
    assert (done.finish_reason, len(done.token_ids or ())) == ("length", 8)


def test_special_tokens_can_be_seen(emoji: CtransformersEngine) -> None:
    (last,) = emoji.tokenize("▁yes", parse_special=False)
    (start,) = emoji.tokenize("<|assistant|>", parse_special=True)
    events = emoji.generate((start,), Sampling(), visible_tokens={"<seen>": last})
    assert "".join(event.text for event in events if isinstance(event, Chunk)) == "🎉<seen>"


def damaged_vocabulary(content: bytes) -> bytes:
    return content.replace(b"<0x0A>", b"<0xZZ>")


def another_architecture(content: bytes) -> bytes:
    return content.replace(b"llama", b"lemma")


@pytest.mark.parametrize("damage", [damaged_vocabulary, another_architecture])
def test_a_file_that_it_cannot_load(tmp_path: Path, lookback: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(damage(lookback.read_bytes()))
    engine = CtransformersEngine(LoadSettings(path, 128, THREE), log_dir=tmp_path)
    with pytest.raises(EngineDiedError, match="could not load the model; the engine says: ctransformers cannot load"):
        engine.wait_ready()
    with pytest.raises(EngineDiedError):
        next(engine.generate(PROMPT, Sampling()))
    engine.close()
    assert gone(engine.pid)


def test_a_process_that_dies_is_reported(lookback: Path, tmp_path: Path) -> None:
    engine = CtransformersEngine(LoadSettings(lookback, 4096, THREE), log_dir=tmp_path)
    events = engine.generate(PROMPT, Sampling())
    next(events)
    os.kill(engine.pid, signal.SIGSEGV if sys.platform != "win32" else signal.SIGTERM)
    with pytest.raises(EngineDiedError, match="stopped in the middle of the answer: its process crashed") as caught:
        list(events)
    assert caught.value.crashed
    with pytest.raises(EngineDiedError):
        list(engine.generate(PROMPT, Sampling()))
    engine.close()


@pytest.mark.skipif(sys.platform == "win32", reason="stops the engine's process")
@pytest.mark.parametrize("loaded", [False, True])
def test_a_process_that_hangs_is_ended(
    lookback: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, loaded: bool
) -> None:
    engine = CtransformersEngine(LoadSettings(lookback, 128, THREE), log_dir=tmp_path)
    try:
        if loaded:
            engine.wait_ready()
        monkeypatch.setattr("phicli.engine.ctransformers_process.SILENCE_TIMEOUT_S", 0.5)
        os.kill(engine.pid, signal.SIGSTOP)
        with pytest.raises(EngineDiedError, match="did not answer for 0 seconds and was ended"):
            next(engine.generate(PROMPT, Sampling()))
        assert gone(engine.pid)
    finally:
        engine.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the kernel's parent-death signal")
def test_it_ends_with_its_parent(lookback: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from phicli.engine.ctransformers_engine import CtransformersEngine\n"
        "from phicli.engine.settings import EngineSettings\nfrom phicli.engine.types import LoadSettings\n"
        "engine = CtransformersEngine(LoadSettings(Path(sys.argv[1]), 64, EngineSettings(1)))\n"
        "engine.wait_ready()\nprint(engine.pid, flush=True)\nsys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(lookback)]
    with psutil.Popen(command, stdin=-1, stdout=-1, text=True) as parent:
        pid = int(parent.stdout.readline())
        parent.kill()
    assert gone(pid)


def test_requests_of_several_threads_take_turns(engine: CtransformersEngine) -> None:
    first, second = (engine.generate(PROMPT, Sampling(max_tokens=6)) for _ in range(2))
    next(first)
    *_, done = second
    assert isinstance(done, Done)
    *_, other = first
    assert isinstance(other, Done)
    assert done.token_ids == other.token_ids == expected(PROMPT, 6)


@pytest.mark.parametrize(
    ("flags", "build"), [({"avx2", "fma", "f16c", "avx"}, "avx2"), ({"avx", "f16c"}, "avx"), ({"sse2"}, "basic")]
)
def test_the_library_fits_the_processor(monkeypatch: pytest.MonkeyPatch, flags: set[str], build: str) -> None:
    monkeypatch.setattr(worker, "processor_flags", lambda: flags)
    assert worker.library_path().parent.name == build


def test_a_system_without_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker.platform, "system", lambda: "Plan9")
    monkeypatch.setattr(worker, "processor_flags", set)
    with pytest.raises(OSError, match="no library for Plan9"):
        worker.library_path()
    monkeypatch.setattr(worker, "PACKAGE", "no_such_package")
    with pytest.raises(OSError, match="is not installed"):
        worker.library_path()
