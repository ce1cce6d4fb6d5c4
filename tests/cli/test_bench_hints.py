"""What ``phi bench`` proposes when it fails is something that can be typed behind ``phi bench``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phicli.bench.planning import require_room
from phicli.errors import DoesNotFitError
from phicli.fit.too_large import on_too_large
from phicli.records.run import Workload
from tests.fakes.bench_engines import GIB, around, load
from tests.support.running import Phi


@pytest.mark.parametrize(
    ("typed", "code", "hint"),
    [
        (["phi-5-giant"], 3, "phi list"),
        (["phi-4"], 3, "phi cache import FILE.tar"),  # offline nothing can be pulled
        (["tiny-phi:q9_9"], 3, "phi bench tiny-phi"),
        (["phi-4-multimodal"], 6, "phi bench phi-4-mini"),
        (["what is a phi?"], 3, "phi bench tiny-phi; see all names: phi list"),
        ([""], 2, "phi bench tiny-phi"),
        (["/no/such/folder/model.gguf"], 3, "phi bench tiny-phi"),
        (["."], 2, "phi bench tiny-phi"),
        (["/dev/null"], 2, "phi bench tiny-phi"),
        (["tiny-phi", "--no-such-option"], 2, "phi bench --help"),
        (["tiny-phi", "--gpu-layers", "99999999999"], 2, "--gpu-layers"),
    ],
    ids=str,
)
def test_no_hint_is_about_another_command(phi: Phi, tmp_path: Path, typed: list[str], code: int, hint: str) -> None:
    (tmp_path / "empty").mkdir()
    words = [str(tmp_path / "empty") if word == "." else word for word in typed]
    done = phi("bench", *words, "--json")
    assert done.code == code, done.out
    error = done.json["error"]
    assert hint in error["hint"], error
    assert "phi chat" not in error["hint"]
    assert "prompt that begins" not in error["hint"]


WORK = (Workload(512, 128, 0),)
DEEP = (Workload(512, 128, 30_000),)
WHOLLY_REPACKED = replace(load(gib=4).shape, repackable_bytes=4 * GIB)


@pytest.mark.parametrize(
    ("change", "settings", "work", "hint"),
    [
        ({"context_tokens": 32_768}, {}, WORK, "it fits with --context 768"),
        ({"context_tokens": 768, "shape": WHOLLY_REPACKED}, {"repack": True}, WORK, "it fits with --repack off"),
        ({"context_tokens": 32_768}, {}, DEEP, "it fits with --kv-type q8_0"),
        ({"context_tokens": 131_072}, {}, (Workload(512, 128, 130_000),), "use a smaller --prompt-tokens"),
        ({"context_tokens": 32_768}, {"flash_attention": "off"}, DEEP, "use a smaller --prompt-tokens"),
    ],
    ids=range(5),
)
def test_options_with_which_it_fits_are_named(
    change: dict[str, Any], settings: dict[str, Any], work: tuple[Workload, ...], hint: str
) -> None:
    one = load(gib=4)
    one = replace(one, settings=replace(one.settings, **settings), **change)
    with pytest.raises(DoesNotFitError) as caught:
        require_room(one, work, around(gib=7.5))
    assert hint in caught.value.hint
    assert caught.value.data


def test_without_the_check_the_sums_are_told() -> None:
    told: list[str] = []
    require_room(load(gib=40), WORK, around(gib=8), on_too_large(told.append, check=False))
    (text,) = told
    assert "does not fit into memory" in text
    require_room(load(gib=4), WORK, around(gib=64), on_too_large(told.append, check=False))
    assert len(told) == 1


def test_a_smaller_model_is_proposed_where_nothing_else_helps() -> None:
    with pytest.raises(DoesNotFitError) as caught:
        require_room(replace(load(gib=40), context_tokens=768), WORK, around(gib=8))
    assert "use a smaller model: phi bench " in caught.value.hint_for("bench")
    require_room(load(gib=4), WORK, around(gib=64))
