"""The choice under wishes: what is kept to, what makes no sense, and what is said where nothing is left."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from phicli.catalog.load import catalog
from phicli.errors import DoesNotFitError, UnsupportedModelError, UsageError
from phicli.fit.assessing import Assessing
from phicli.fit.quality import SPOILT_POINTS, quantisation_loss
from phicli.fit.recommend import ranking_for
from phicli.fit.requirements import check_request
from phicli.fit.types import Request
from phicli.plan.candidates import candidates
from tests.support.machines import CONTAINER_4, GPU_24, LAPTOP_16
from tests.support.recommending import GB, machine, name_of, pick, recommended, speed_on


def test_what_is_missing_is_told_with_the_remedy() -> None:
    found = recommended(
        machine(12.2, bandwidth=200 * GB), Request(context_tokens=16_384, kv_type="f16", quant="Q4_K_M")
    )
    out = next(one for one in found.rejected if (one.variant_id, one.quant) == ("phi-4", "Q4_K_M"))
    assert (out.gate, out.remedy) == ("memory", "q8_0 KV cache would fit: --kv-type q8_0")
    assert out.missing_bytes is not None
    assert out.missing_bytes > 0
    assert "more memory with a context of 16,384 tokens" in out.reason


def test_a_cache_of_8_bits_is_the_remedy_that_is_taken_by_itself() -> None:
    here = machine(4.8, bandwidth=60 * GB)
    chosen = pick(recommended(here, Request(context_tokens=16_384, quant="q4_k_m")))
    assert chosen is not None
    assert chosen.command == "phi chat phi-4-mini:q4_k_m --context 16384 --kv-type q8_0"
    assert "the KV cache type is q8_0: about half the memory of f16" in chosen.reasons


def test_nothing_fits_says_what_is_missing() -> None:
    with pytest.raises(DoesNotFitError, match=r"no model fits: 512\.0 MiB can be used; the nearest, phi-") as caught:
        recommended(machine(1))
    assert caught.value.data is not None
    assert caught.value.data["missing_bytes"] > 0
    assert {out["gate"] for out in caught.value.data["rejected"]} >= {"memory", "engine", "capability"}


def test_the_limit_of_a_container_is_raised_and_no_program_closed() -> None:
    here = replace(machine(0.4), simulated=None)
    assert here.memory is not None
    for limited, words in ((False, "close other programs"), (True, "raise the memory limit of the container")):
        with pytest.raises(DoesNotFitError) as caught:
            recommended(replace(here, memory=replace(here.memory, limited=limited)), Request(task="tools"))
        assert caught.value.hint.startswith(words)


def test_a_shorter_context_that_would_fit_is_proposed() -> None:
    wish = Request(task="long-context", context_tokens=65_536)
    with pytest.raises(DoesNotFitError) as caught:
        recommended(CONTAINER_4, wish)
    assert "phi recommend --task long-context --context " in caught.value.hint
    tokens = int(caught.value.hint.rpartition(" ")[2])
    assert recommended(CONTAINER_4, Request(task="long-context", context_tokens=tokens)).picks


def test_a_minimum_that_only_ruined_files_reach_is_refused() -> None:
    """Q2_K would be there in half the time, and wrong."""
    with pytest.raises(DoesNotFitError) as caught:
        recommended(LAPTOP_16, Request(min_tps=22))
    assert caught.value.message.startswith("only quantizations that ruin the model reach 22 tokens/s, such as phi-")
    tokens = caught.value.hint.rpartition(" ")[2]
    chosen = pick(recommended(LAPTOP_16, Request(min_tps=float(tokens))))
    assert chosen is not None
    assert quantisation_loss(chosen.assessment.candidate.quant) < SPOILT_POINTS
    wanted = pick(recommended(LAPTOP_16, Request(min_tps=22, quant="Q2_K")))  # whoever names it gets it
    assert wanted is not None


def test_a_minimum_excludes_and_is_no_other_target() -> None:
    free, least = (pick(recommended(LAPTOP_16, wish)) for wish in (Request(), Request(min_tps=2)))
    assert free == least


@pytest.mark.parametrize(
    ("request_", "words", "hint"),
    [
        (Request(task="cooking"), "unknown task: 'cooking'", "long-context"),
        (Request(context_tokens=200_000), "the longest is 131,072", "--context 131072"),
        (Request(task="tools", context_tokens=200_000), "131,072 (phi-4-mini)", "--task tools --context 131072"),
        (Request(license="GPL"), "no model matches --license GPL", "MIT"),
        (Request(quant="Q9_Z"), "no model matches --quant Q9_Z", "Q4_K_M"),
        (Request(max_size_bytes=1000), "no model matches --max-size 1000 B", "and more"),
        (Request(installed_only=True), "no model for general use is installed", "phi recommend"),
        (
            Request(quant="F16", max_size_bytes=2 << 30),
            "matches --quant F16 and",
            "--max-size 2.00 GiB",
        ),
        (Request(kv_type="q3"), "unknown KV cache type: 'q3'", "q8_0"),
        (Request(min_tps=0), "--min-tps must be more than 0", "--help"),
        (Request(min_tps=float("nan")), "--min-tps must be more than 0", "--help"),
        (Request(context_tokens=-1), "--context must be more than 0", "--help"),
    ],
)
def test_what_makes_no_sense_is_told(request_: Request, words: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        recommended(LAPTOP_16, request_)
    assert words in caught.value.message
    assert hint in caught.value.hint


def test_pictures_are_for_others_and_that_is_said() -> None:
    with pytest.raises(UnsupportedModelError, match="no engine on this machine supports pictures") as caught:
        recommended(GPU_24, Request(task="vision"))
    assert "phi-4-multimodal (ONNX Runtime GenAI" in caught.value.hint
    assert "text only" in caught.value.message


def test_a_speed_that_was_asked_for_is_kept_to() -> None:
    found = recommended(LAPTOP_16, Request(min_tps=12))
    assert [one.role for one in found.picks if one.role == "smarter"] == []
    assert all(one.assessment.speed.decode_tps >= 12 for one in found.picks)
    with pytest.raises(DoesNotFitError, match="no model that fits reaches 500 tokens/s; the fastest, ") as caught:
        recommended(LAPTOP_16, Request(min_tps=500))
    assert ", but its quantization ruins it; " in caught.value.message
    reached = [float(text) for text in re.findall(r"reaches ([\d.]+)(?:[;,]|$)", caught.value.message)]
    assert len(reached) == 2
    assert reached[0] > reached[1]
    assert caught.value.hint.endswith(f"--min-tps {int(reached[1])}")


def test_filters_are_kept_to() -> None:
    found = recommended(LAPTOP_16, Request(quant="q5-k-m", license="mit", max_size_bytes=4 << 30))
    shown = [one.assessment for one in found.picks] + list(found.others)
    assert {one.candidate.quant for one in shown} == {"Q5_K_M"}
    assert all(one.candidate.shape.weights_bytes <= 4 << 30 for one in shown)


def test_what_is_installed_wins_a_tie_but_nothing_more() -> None:
    assert name_of(pick(recommended(GPU_24, None, "phi-4:Q4_K_M"))) == "phi-4:Q4_K_M"
    assert name_of(pick(recommended(GPU_24, None, "phi-4-mini:Q8_0"))) == "phi-4:Q6_K"
    only = recommended(GPU_24, Request(installed_only=True), "phi-3.5-mini:Q4_K_M")
    assert [name_of(one) for one in only.picks] == ["phi-3.5-mini:Q4_K_M"]


def test_a_cache_that_the_engine_cannot_keep_is_not_proposed() -> None:
    """Phi-2 has heads of 80 values, which are no whole blocks of a quantised cache."""
    here, asked = machine(2), Request(context_tokens=2048)
    ranking = ranking_for(check_request(asked), catalog())
    judge = Assessing(catalog(), here, asked, ranking, speed_on(here))
    tried = {one.variant.id: judge.tried(one) for one in candidates(catalog(), ()) if one.quant == "Q4_K_M"}
    assert [one.kv_type for one in tried["phi-2"]] == ["f16"]
    assert [one.kv_type for one in tried["phi-4-mini"]] == ["f16", "q8_0"]
