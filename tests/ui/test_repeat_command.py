"""The command that is printed measures what was typed: read again, it gives the same plan."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.bench.measuring.bench_plan import BenchPlan, planned_runs
from phicli.bench.measuring.grid import context_for, settings_grid, workloads
from phicli.bench.measuring.room import PlannedLoad
from phicli.bench.options import BenchOptions
from phicli.records.adapters import MeasuredAdapter
from phicli.records.run import Run, Subject
from phicli.records.workload_texts import TEXTS
from phicli.ui.bench.repeat_command import command_of
from tests.fakes.bench_engines import around, load
from tests.support.bench_command import parsed
from tests.support.runs import adapter, run, subject, with_adapters

TRAINED = 131_072
PROMPTS = ("0", "256", "256,0", "0,256", "128,256,64")
TOKENS = ("0", "32", "16,32", "32,0,16")
UNNAMED = MeasuredAdapter("a b.gguf", Path("/models/a b.gguf"), -1.0, 5, "12" * 32)
"""A file that has no name here."""
DEPTHS = ("", "64", "0,64", "64,0", "512,0,64")


def plan_of(models: Sequence[str], options: BenchOptions) -> BenchPlan:
    """As ``phi bench`` plans it, without files and machine."""
    texts = tuple(TEXTS) if "speculation" in options.settings else (None,)
    work = workloads(options.prompt_tokens, options.generated_tokens, options.depth_tokens, texts)
    grid = settings_grid(options.settings, cores=2)
    context = context_for(work, asked=options.context_tokens, trained=TRAINED)
    chosen = [subject(name.partition(":")[0], "Q4_K_M") for name in models]
    loads = [
        PlannedLoad(replace(one, engine=engine), setting, load().shape, context)
        for one in chosen
        for engine in options.engines
        for setting in grid
    ]
    return BenchPlan(tuple(loads), work, options.repeat, llama_server=options.llama_server)


def again(typed: Sequence[str]) -> tuple[BenchPlan, BenchPlan, str]:
    """The plan of what was ``typed``, that of the command which is printed, and that command."""
    models, options = parsed(typed)
    plan = plan_of(models, options)
    text = command_of(
        planned_runs(plan, around()), llama_server=options.llama_server, quick=options.quick, quality=options.quality
    )
    words = shlex.split(text)
    assert words[:2] == ["phi", "bench"]
    repeated, read = parsed(words[2:])
    assert (read.quick, read.quality) == (options.quick, options.quality)
    return plan, plan_of(repeated, read), text


@pytest.mark.parametrize(("prompt", "tokens", "depth"), list(itertools.product(PROMPTS, TOKENS, DEPTHS)))
def test_lengths(prompt: str, tokens: str, depth: str) -> None:
    if tokens == "0" and (prompt == "0" or depth):
        return  # refused: nothing to measure, or a depth without tokens
    plan, repeated, _ = again(["phi-4-mini", "-p", prompt, "-n", tokens, *(["-d", depth] if depth else [])])
    assert repeated == plan


def test_lists_that_are_longer_than_the_others() -> None:
    _, _, text = again(["phi-4-mini", "-p", "128,256,64", "-n", "32", "-d", "64"])
    assert "--prompt-tokens 128,256,64 --tokens 32 --depth 64 " in text, "no depth of 0, at which nothing was generated"


@pytest.mark.parametrize(
    "typed",
    [
        "phi-4-mini",
        "phi-4-mini phi-4 --quick --no-quality",
        "phi-4-mini --context 4096 --repeat 1",
        "phi-4-mini --engine llama-server,xllamacpp --llama-server '/opt/my llama/llama-server'",
        "phi-4-mini --threads 4,1,2 --batch-size 256,64 --repack on,off --gpu-layers 0,33",
        "phi-4-mini --kv-type q8_0,f16 --flash-attention off,on",
        "phi-4-mini --kv-type q8_0 --flash-attention off,auto",
        "phi-4-mini --quick -d 0,2048 --gpu-layers 5",
        "phi-4-mini --speculation none,ngram-mod",
        "phi-4-mini --speculation none --quick -p 64 -n 16,32",
    ],
)
def test_settings(typed: str) -> None:
    plan, repeated, text = again(shlex.split(typed))
    assert repeated == plan
    for option in ("--quick", "--no-quality", "--llama-server"):
        assert (option in text) == (option in typed)


def test_an_interrupted_run_is_repeated_as_often_as_it_was_to_be() -> None:
    assert command_of([run(repeat=2, complete=False, extra={"repeat": 5})]).endswith("--repeat 5")


def named(model: str, path: str, variant: str | None = None, quant: str | None = "Q4_K_M") -> Run:
    return replace(run(), subject=Subject(model, quant, variant, Path(path), 5))


@pytest.mark.parametrize(
    ("one", "typed"),
    [
        (named("phi-4-mini", "/cache/x.gguf", "phi-4-mini"), "phi-4-mini:q4_k_m"),
        (named("owner/repo", "/cache/x.gguf"), "owner/repo:q4_k_m"),
        (named("mine", "/models/x.gguf"), "mine"),
        (named("mine", "/models/x.gguf", "phi-4-mini"), "mine"),
        (named("x.gguf", "models/x.gguf", "phi-4-mini"), "models/x.gguf"),
        (named("-x.gguf", "-x.gguf"), "./-x.gguf"),
        (named("blob", "/ollama/blob"), "/ollama/blob"),
        (with_adapters(run(), adapter(scale=0.5), adapter("style")), "phi-4-mini:q4_k_m+my-run:0.5+style"),
        (with_adapters(named("x.gguf", "models/x.gguf"), UNNAMED), "models/x.gguf+/models/a b.gguf:-1"),
    ],
)
def test_a_model_is_named_as_it_can_be_typed(one: Run, typed: str) -> None:
    assert shlex.split(command_of([one]))[2] == typed
