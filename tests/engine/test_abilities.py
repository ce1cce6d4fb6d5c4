"""What an engine lacks is refused in one place, which names the engines that can."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from phicli.engine.abilities import Ability, abilities_of_load, abilities_of_sampling, refuse_lacking
from phicli.engine.constraint import Constraint
from phicli.engine.settings import EngineSettings
from phicli.engine.starting import DEFAULT_ENGINE, ENGINES, LLAMA_SERVER, can, check_settings, require
from phicli.engine.types import LoadSettings, Sampling
from phicli.errors import UsageError
from tests.support.files import TINY_PHI

PLAIN = LoadSettings(TINY_PHI, 256, EngineSettings(1))
LACKING = {"one": frozenset(Ability), "two": frozenset({Ability.GPU}), "three": frozenset[Ability]()}


def needed(settings: LoadSettings) -> set[Ability]:
    return set(abilities_of_load(settings))


def test_a_plain_load_needs_nothing() -> None:
    assert needed(PLAIN) == set()
    assert needed(replace(PLAIN, engine=EngineSettings(1, gpu_layers=0, flash_attention="off"))) == set()
    refuse_lacking("one", abilities_of_load(PLAIN), LACKING)


@pytest.mark.parametrize(
    ("settings", "ability"),
    [
        (replace(PLAIN, own_template=True), Ability.TEMPLATES),
        (replace(PLAIN, slots=2), Ability.SLOTS),
        (replace(PLAIN, engine=EngineSettings(1, repack=True)), Ability.REPACK),
        (replace(PLAIN, engine=EngineSettings(1, gpu_layers=3)), Ability.GPU),
        (replace(PLAIN, engine=EngineSettings(1, kv_type="q8_0")), Ability.KV_TYPES),
        (replace(PLAIN, engine=EngineSettings(1, flash_attention="on")), Ability.FLASH_ATTENTION),
        (replace(PLAIN, engine=EngineSettings(1, speculation="ngram-mod")), Ability.SPECULATION),
    ],
)
def test_each_ability_is_asked_for_by_something(settings: LoadSettings, ability: Ability) -> None:
    assert needed(settings) == {ability}
    with pytest.raises(UsageError, match=f"^one cannot {ability.value}$") as caught:
        refuse_lacking("one", abilities_of_load(settings), LACKING)
    assert caught.value.hint.endswith("--engine three")
    refuse_lacking("three", abilities_of_load(settings), LACKING)


def test_all_engines_that_can_are_named() -> None:
    with pytest.raises(UsageError) as caught:
        refuse_lacking("one", iter([Ability.REPACK]), LACKING)
    assert caught.value.hint == "use an engine that can: --engine two or --engine three"


def test_the_default_engine_can_do_everything() -> None:
    assert ENGINES[DEFAULT_ENGINE].lacks == frozenset()
    for ability in Ability:
        assert can(DEFAULT_ENGINE, ability)
        require(DEFAULT_ENGINE, ability)
    check_settings(DEFAULT_ENGINE, EngineSettings(1, kv_type="q8_0", flash_attention="on", repack=True, gpu_layers=3))


def test_a_program_of_llama_cpp_has_no_llguidance() -> None:
    assert ENGINES[LLAMA_SERVER].lacks == {Ability.LARK}


@pytest.mark.parametrize(
    ("language", "abilities"),
    [
        ("gbnf", {Ability.CONSTRAINTS}),
        ("json_schema", {Ability.CONSTRAINTS}),
        ("lark", {Ability.LARK}),
    ],
)
def test_a_constraint_needs_an_engine_that_holds_it(
    language: Literal["gbnf", "lark", "json_schema"], abilities: set[Ability]
) -> None:
    assert set(abilities_of_sampling(Sampling(constraint=Constraint(language, "{}")))) == abilities
