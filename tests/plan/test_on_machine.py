"""What a model takes on a machine, and which of its files ``phi pull`` takes there."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.catalog.load import catalog
from phicli.fit.calibration import Conditions, Measurement
from phicli.fit.speed import speed_model
from phicli.gguf_file.header import read_header
from phicli.hardware.types import Machine
from phicli.plan.candidates import candidates
from phicli.plan.description import VariantDescription, describe, on_machine
from phicli.plan.file_description import FileDescription
from phicli.plan.recommendation import OnThisMachine, recommended_quant
from tests.support.cache_layout import put_in_cache
from tests.support.files import TINY_PHI
from tests.support.machines import ALL, CONTAINER_4, GPU_24, LAPTOP_16
from tests.support.recommending import speed_on


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and nothing registered."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "phi"))
    return tmp_path / "hub"


def of_variant(name: str, here: Machine) -> tuple[VariantDescription, OnThisMachine]:
    shown, found = on_machine(describe(name), here, speed_on(here))
    assert isinstance(shown, VariantDescription)
    assert found is not None
    return shown, found


def of_file(path: Path, here: Machine) -> OnThisMachine | None:
    shown, found = on_machine(describe(str(path)), here, speed_on(here))
    assert isinstance(shown, FileDescription)
    return found


def taken(found: OnThisMachine) -> list[str]:
    return [row.assessment.candidate.quant for row in found.rows if row.takes]


@pytest.mark.parametrize("here", ALL)
@pytest.mark.parametrize("name", [one.id for one in catalog().variants if one.runs_here and one.packaged_file is None])
def test_the_mark_is_on_what_a_pull_takes(name: str, here: Machine) -> None:
    """The recommended quantisation where the first source has it, else its usual one; the file table agrees."""
    shown, found = of_variant(name, here)
    variant = shown.variant
    wanted = recommended_quant(variant, here, candidates(catalog(), ()), speed_on(here))
    assert shown.recommended == wanted
    first = {file.quant for source in variant.sources[:1] for file in source.files}
    if wanted is not None and (wanted in first or not first):
        assert shown.takes == wanted
    if shown.best is not None:
        assert shown.best.quant == shown.takes
        assert shown.best.repo == variant.sources[0].repo
    known = {row.assessment.candidate.quant for row in found.rows}
    assert taken(found) == ([shown.takes] if shown.takes in known else [])


def test_the_star_moves_with_the_machine_and_stands_first() -> None:
    for here, quant in ((LAPTOP_16, "Q4_K_M"), (GPU_24, "Q6_K")):
        shown, found = of_variant("phi-4-mini", here)
        assert shown.best is not None
        assert shown.best.quant == quant
        assert found.rows[0].takes
        assert taken(found) == [quant]
    usual = describe("phi-4-mini")
    assert isinstance(usual, VariantDescription)
    assert usual.best is not None
    assert usual.best.quant == usual.takes == "Q4_K_M"


def test_where_nothing_fits_a_pull_takes_the_usual_file_and_that_is_marked() -> None:
    shown, found = of_variant("phi-4", CONTAINER_4)
    assert shown.recommended is None
    assert shown.takes == "Q4_K_M"
    assert taken(found) == ["Q4_K_M"]
    assert {row.fits for row in found.rows} == {False}
    assert all(row.rejection is not None and row.rejection.missing_bytes for row in found.rows)


def test_a_quantisation_that_is_named_is_the_only_one_and_taken() -> None:
    shown, found = of_variant("phi-4-mini:q8_0", GPU_24)
    assert [row.assessment.candidate.quant for row in found.rows] == taken(found) == ["Q8_0"]
    assert shown.best is not None
    assert shown.best.quant == "Q8_0"


def test_what_is_here_is_known_by_its_header(hub: Path) -> None:
    put_in_cache(hub, "bartowski/microsoft_Phi-4-mini-instruct-GGUF", "microsoft_Phi-4-mini-instruct-Q8_0.gguf")
    _, found = of_variant("phi-4-mini", LAPTOP_16)
    rows = {row.assessment.candidate.quant: row.assessment.candidate for row in found.rows}
    assert (rows["Q8_0"].size_source, rows["Q8_0"].installed) == ("header", True)
    assert (rows["Q6_K"].size_source, rows["Q6_K"].installed) == ("published", False)


def test_the_context_is_what_is_planned() -> None:
    assert of_variant("phi-4-mini", LAPTOP_16)[1].context_tokens == 4096
    _, short = of_variant("phi-2", LAPTOP_16)
    assert short.context_tokens == 2048
    assert {row.assessment.context_tokens for row in short.rows} == {2048}


def test_the_model_in_the_package_is_pulled_by_nobody() -> None:
    shown, found = of_variant("tiny-phi", CONTAINER_4)
    assert shown.takes is None
    assert [(row.fits, row.takes) for row in found.rows] == [(True, False)]


@pytest.mark.parametrize("name", [one.id for one in catalog().variants if not one.runs_here])
def test_of_what_cannot_run_nothing_is_said(name: str) -> None:
    before = describe(name)
    assert on_machine(before, LAPTOP_16, speed_on(LAPTOP_16)) == (before, None)


def test_a_file_has_one_row_from_its_header(tmp_path: Path) -> None:
    found = of_file(TINY_PHI, CONTAINER_4)
    assert found is not None
    assert found.context_tokens == 1024
    (row,) = found.rows
    candidate = row.assessment.candidate
    assert (candidate.size_source, candidate.quant, row.fits, row.takes) == ("header", "F16", True, False)
    assert (candidate.shape.layers, candidate.shape.embedding, candidate.shape.vocabulary) == (4, 128, 1400)


def test_a_file_that_the_catalogue_does_not_know_has_the_same_row() -> None:
    known = describe(str(TINY_PHI))
    assert isinstance(known, FileDescription)
    stranger = replace(known, variant=None, general_name=None)
    (one, two) = (on_machine(each, LAPTOP_16, speed_on(LAPTOP_16))[1] for each in (known, stranger))
    assert one is not None
    assert two is not None
    assert two.rows[0].assessment.memory == one.rows[0].assessment.memory
    assert two.rows[0].assessment.candidate.variant.id == "tiny-phi.gguf"
    assert two.context_tokens == one.context_tokens == 1024


@pytest.mark.parametrize("known", [True, False])
def test_what_was_measured_for_a_file_is_shown_for_it(tmp_path: Path, known: bool) -> None:
    """``phi show FILE`` after ``phi bench FILE``, under another name too, and only for that file."""
    path = tmp_path / "m.gguf"
    shutil.copy(TINY_PHI, path)
    (tmp_path / "link.gguf").symlink_to(path)
    shutil.copy(TINY_PHI, tmp_path / "other.gguf")
    here = replace(LAPTOP_16, simulated=None, gpus=())
    conditions = Conditions(here.cpu.name, "a build", here.cpu.physical_cores)
    name, weights = "tiny-phi" if known else str(path.resolve()), read_header(path).weights_bytes
    run = Measurement(conditions, name, "F16", weights, 0, 321.0, 1.0, 0, 0.0, "2026-11-22T10:00:00+00:00")
    speed = speed_model(here, prompt_tokens=512, measurements=(run,))

    def method(file: str) -> str:
        shown = describe(str(tmp_path / file))
        assert isinstance(shown, FileDescription)
        found = on_machine(shown if known else replace(shown, variant=None), here, speed)[1]
        assert found is not None
        return found.rows[0].assessment.speed.method

    assert (method("m.gguf"), method("link.gguf")) == ("measured", "measured")
    assert method("other.gguf") == ("measured" if known else "estimated")


def test_a_model_in_parts_weighs_what_all_parts_weigh(tmp_path: Path) -> None:
    path = tmp_path / "m-00001-of-00002.gguf"
    shutil.copy(TINY_PHI, path)
    assert of_file(path, LAPTOP_16) is None
    (tmp_path / "m-00002-of-00002.gguf").write_bytes(b"1" * 4_000_000)
    described = describe(str(path))
    assert isinstance(described, FileDescription)
    _, found = on_machine(replace(described, split_count=2), LAPTOP_16, speed_on(LAPTOP_16))
    assert found is not None
    assert found.rows[0].assessment.memory.weights_bytes == TINY_PHI.stat().st_size + 4_000_000


def test_a_machine_that_tells_no_memory_leaves_open_what_fits() -> None:
    silent = replace(CONTAINER_4, memory=None)
    shown, found = of_variant("phi-4", silent)
    assert found.usable_bytes is None
    assert {row.fits for row in found.rows} == {None}
    assert taken(found) == [shown.takes]
    _, on_card = of_variant("phi-4-mini", replace(GPU_24, memory=None))
    assert {row.fits for row in on_card.rows} == {True}
