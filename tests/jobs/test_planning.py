"""How a model of this machine is loaded for many requests: slots, contexts and memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from phicli.engine.abilities import Ability
from phicli.engine.settings import ALL_LAYERS, EngineSettings
from phicli.engine.starting import EngineChoice
from phicli.errors import DoesNotFitError, UsageError
from phicli.fit.loading import Room
from phicli.fit.memory import plan_memory
from phicli.gguf_file.header import read_header
from phicli.hardware.available import Memory
from phicli.hardware.types import Gpu
from phicli.jobs import planning
from phicli.jobs.planning import JobPlan, Needs, Place, plan_job
from phicli.plan.chat_options import ChatOptions
from phicli.plan.locate import locate
from phicli.records.tuned import Winner

GIB = 1 << 30
PLENTY = Room(Memory(64 * GIB, 64 * GIB, "the test"))


def planned(
    longest_bytes: int = 100, max_tokens: int | None = 40, requests: int | None = 100, parallel: int | None = None, *,
    room: Room = PLENTY, cores: int = 2, engine: str = "xllamacpp", best: Winner | None = None, **options: Any,
) -> JobPlan:  # fmt: skip
    needs = Needs(longest_bytes, max_tokens, requests, parallel)
    place = Place(EngineChoice(engine), room, cores)
    return plan_job(locate("tiny-phi"), ChatOptions(**options), needs, place, best=best)


@pytest.fixture
def long(monkeypatch: pytest.MonkeyPatch) -> None:
    """tiny-phi was trained for 16,384 tokens, without LongRoPE."""
    header = replace(read_header(locate("tiny-phi").path), context_length=16384, original_context_length=None)
    monkeypatch.setattr(planning, "read_header", lambda _: header)


def needed_bytes(job: JobPlan, context_tokens: int) -> int:
    return plan_memory(job.load.shape, job.settings, context_tokens=context_tokens).total_bytes


@pytest.mark.parametrize(
    ("cores", "requests", "parallel", "slots"),
    [
        (2, 100, None, 4), (8, 100, None, 8), (2, 3, None, 3), (2, None, None, 4), (2, 0, None, 1), (2, 100, 1, 1),
        (2, 100, 16, 16), (2, 5, 16, 5), (2, None, 6, 6),
    ],
)  # fmt: skip
def test_as_many_requests_at_a_time_as_help(cores: int, requests: int, parallel: int, slots: int) -> None:
    assert planned(requests=requests, parallel=parallel, cores=cores).slots == slots


def test_a_slot_has_what_the_longest_request_needs() -> None:
    sizes = [planned(size).load.context.first_tokens for size in (10, 200, 2000, 100_000)]
    assert sizes == [256] * 4, "tiny-phi begins with the original context of its LongRoPE"
    assert planned().load.context.limit_tokens == 1024


def test_long_requests_get_large_slots_where_they_fit(long: None) -> None:
    def size(longest_bytes: int, room: Room = PLENTY, max_tokens: int | None = 200) -> int:
        return planned(longest_bytes, max_tokens, room=room).load.context.first_tokens

    assert size(100) == 768
    assert size(3000) == 3584
    assert size(9000) == 4096
    assert size(18_000) == 6656
    assert size(1_000_000) == 16384
    needed = needed_bytes(planned(18_000), 2 * 6656)
    for more, expected in ((0, 6656), (-2, 4096)):
        assert size(18_000, Room(Memory(2 * needed, 2 * needed + more, "the test"))) == expected
    assert planned(18_000, 200, context_tokens=5000).load.context.first_tokens == 5000


def test_fewer_slots_where_memory_is_small_and_an_error_where_more_were_asked_for() -> None:
    """A small machine keeps half of its memory free."""
    job = planned()
    needed = needed_bytes(job, 3 * 256)
    room = Room(Memory(2 * needed, 2 * needed, "the test"))
    assert planned(room=room).slots == 3
    assert planned(room=room, parallel=3).slots == 3
    with pytest.raises(DoesNotFitError, match="4 slots of 256 tokens") as caught:
        planned(room=room, parallel=4)
    assert "--parallel" in caught.value.hint
    with pytest.raises(DoesNotFitError):
        planned(room=Room(Memory(64 << 20, 1 << 20, "the test")))


def test_what_outgrows_its_slot_may_grow_as_far_as_memory_is_left(long: None) -> None:
    free = planned()
    assert free.load.context.limit_tokens == 16384
    needed = needed_bytes(free, 4 * free.load.context.first_tokens)
    small = planned(room=Room(Memory(2 * needed, 2 * needed, "the test")))
    assert small.load.context.first_tokens <= small.load.context.limit_tokens < 16384


def test_where_the_memory_is_unknown_nothing_is_refused() -> None:
    job = planned(room=Room(None), parallel=64)
    assert (job.slots, job.load.context.limit_tokens) == (64, 1024)


def test_a_graphics_processor_gets_the_layers_that_fit_beside_all_slots(long: None) -> None:
    def layers(free_bytes: int) -> int:
        card = Gpu("a card", "CUDA", free_bytes, free_bytes, True, "a test")
        job = planned(room=Room(Memory(64 * GIB, 64 * GIB, "the test"), (card,)))
        assert job.slots == 4
        return job.settings.gpu_layers

    assert layers(8 * GIB) == ALL_LAYERS
    assert layers(1 << 20) == 0


def test_settings_that_were_asked_for_go_before_tuned_ones_and_slots_have_them() -> None:
    best = Winner(
        EngineSettings(threads=1, batch_tokens=512, repack=True),
        default=False,
        ratio=1.2,
        ratio_low=1.1,
        ratio_high=1.3,
    )
    tuned = planned(best=best)
    assert (tuned.settings.threads, tuned.settings.batch_tokens, tuned.settings.repack) == (1, 512, True)
    asked = planned(best=best, engine="xllamacpp", temperature=0.3)
    assert asked.load.sampling.temperature == 0.3
    typed = plan_job(
        locate("tiny-phi"), ChatOptions(engine={"threads": 2, "repack": False}), Needs(10, 10, 10),
        Place(EngineChoice(), PLENTY, 4), best=best,
    )  # fmt: skip
    assert (typed.settings.threads, typed.settings.batch_tokens, typed.settings.repack) == (2, 512, False)


def test_an_engine_without_slots_answers_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    lacks = planning.can
    monkeypatch.setattr(planning, "can", lambda name, ability: ability is not Ability.SLOTS and lacks(name, ability))
    assert planned().slots == 1

    def refuse(name: str, ability: Ability) -> None:
        raise UsageError(f"{name} lacks {ability}")

    monkeypatch.setattr(planning, "require", refuse)
    with pytest.raises(UsageError, match="lacks"):
        planned(parallel=2)
