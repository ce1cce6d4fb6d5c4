"""How answers are sampled: by the options, the catalog, the file, or what is usual."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phicli.catalog.resolve import resolve
from phicli.engine.types import SAMPLERS, Sampling
from phicli.errors import UsageError
from phicli.gguf_file.header import read_header
from phicli.plan.chat_options import ChatOptions
from phicli.plan.identify import choose_format
from phicli.plan.load import LoadPlan, Use, plan_load
from phicli.plan.locate import LocatedModel
from phicli.plan.sampling import ChatSampling, sampling_of_file, sampling_of_variant
from tests.support.files import TINY_PHI


def file_sampling(own: dict[str, Any], *, phi: bool = False) -> ChatSampling:
    """The sampling of an unknown file with the values of ``own`` in its header."""
    tiny = read_header(TINY_PHI)
    metadata = {**tiny.metadata, **{f"general.sampling.{name}": value for name, value in own.items()}}
    header = replace(tiny, architecture="phi3" if phi else "gemma", name="Unknown", metadata=metadata)
    return sampling_of_file(header, None, choose_format(header, None))


def plan(name: str = "phi-4-mini", **options: Any) -> LoadPlan:
    model = LocatedModel(name, name, Path("model.gguf"), resolve(name).variant, None)
    return plan_load(model, read_header(TINY_PHI), ChatOptions(**options), Use.ONE_ANSWER, memory=None, cores=1)


def test_a_file_that_is_no_phi_is_sampled_as_in_llama_cpp() -> None:
    found = file_sampling({})
    assert found.sampling == Sampling(temperature=0.8, top_k=40, top_p=0.95, min_p=0.05, repeat_penalty=1.0)
    assert file_sampling({}, phi=True).sampling == Sampling(temperature=0.0)


def test_the_files_own_values_hold_and_the_others_are_usual() -> None:
    own = {"temp": 0.5, "top_k": 20, "top_p": 0.9, "min_p": 0.0, "penalty_repeat": 1.1, "penalty_last_n": 128}
    assert file_sampling(own).sampling == Sampling(0.5, 20, 0.9, 0.0, 1.1, 128)
    assert file_sampling({"top_k": 7}).sampling == Sampling(temperature=0.8, top_k=7)
    assert file_sampling({"temp": 0.6}, phi=True).sampling == Sampling(temperature=0.6)
    more = {"xtc_probability": 0.5, "xtc_threshold": 0.2, "mirostat": 2, "mirostat_tau": 4.0, "mirostat_eta": 0.2}
    assert file_sampling(more).sampling == Sampling(
        temperature=0.8, xtc_probability=0.5, xtc_threshold=0.2, mirostat=2, mirostat_tau=4.0, mirostat_eta=0.2
    )
    assert file_sampling({"sequence": "top_k; temperature"}).sampling.samplers == ("top_k", "temperature")


@pytest.mark.parametrize(
    "own",
    [
        {"temp": -1.0}, {"temp": float("nan")}, {"temp": "hot"}, {"temp": True}, {"top_p": 1.5}, {"top_k": -1},
        {"mirostat": 3}, {"penalty_repeat": 0.0}, {"penalty_last_n": -1}, {"sequence": ""}, {"sequence": 3},
    ],
    ids=str,
)  # fmt: skip
def test_a_value_that_makes_no_sense_counts_as_missing(own: dict[str, Any]) -> None:
    assert file_sampling(own).sampling == Sampling(temperature=0.8)


def test_the_catalog_decides_for_the_files_it_knows() -> None:
    tiny = read_header(TINY_PHI)
    header = replace(tiny, metadata={**tiny.metadata, "general.sampling.temp": 1.5})
    reasoning = resolve("phi-4-reasoning").variant
    found = sampling_of_file(header, reasoning, choose_format(header, reasoning))
    assert found == sampling_of_variant(reasoning)
    assert (found.sampling.temperature, found.sampling.top_k) == (0.8, 50)


def test_what_is_given_by_hand_is_used_as_given() -> None:
    sampling = plan(temperature=0.0, seed=0, top_k=0, min_p=0.0, repeat_penalty=1.3).sampling
    assert (sampling.temperature, sampling.seed, sampling.top_k, sampling.min_p) == (0.0, 0, 0, 0.0)
    assert sampling.repeat_penalty == 1.3
    assert plan("phi-4-reasoning", temperature=0.0).sampling.temperature == 0.0


def test_the_settings_of_an_answer_have_all_of_it() -> None:
    settings = plan(stop=("END",), seed=3).settings_data()
    expected = {"temperature": 0.0, "repeat_penalty": 1.0, "mirostat": 0, "samplers": list(SAMPLERS), "seed": 3}
    assert settings == {**settings, **expected, "stop": ["END"]}


@pytest.mark.parametrize(
    ("options", "option"),
    [({"repeat_penalty": 0.0}, "--repeat-penalty"), ({"stop": ("",)}, "--stop"), ({"stop": ("\udcff",)}, "--stop")],
)
def test_options_that_make_no_sense(options: dict[str, Any], option: str) -> None:
    with pytest.raises(UsageError, match=option):
        ChatOptions(**options)
