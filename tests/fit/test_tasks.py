"""What the tasks ask for, and that their orders agree with the published scores."""

from __future__ import annotations

import pytest

from phicli.catalog.load import catalog
from phicli.catalog.types import CAPABILITIES
from phicli.errors import UsageError
from phicli.fit import types
from phicli.fit.tasks import TASKS, Task, task_named

BY_ID = {variant.id: variant for variant in catalog().variants}
EACH = pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)


def test_the_tasks_are_those_of_the_contract() -> None:
    assert tuple(TASKS) == types.TASKS


@EACH
def test_what_a_task_needs_exists_in_the_catalogue(task: Task) -> None:
    assert task.needs
    assert set(task.needs) <= set(CAPABILITIES)
    assert any(set(task.needs) & set(variant.capabilities) for variant in catalog().variants)


@EACH
def test_an_order_names_variants_of_the_catalogue_once(task: Task) -> None:
    assert len(set(task.order)) == len(task.order)
    assert set(task.order) <= set(BY_ID)


@EACH
def test_an_order_agrees_with_the_scores_of_its_scale(task: Task) -> None:
    scores = [
        score.value
        for name in task.order
        for score in BY_ID[name].scores
        if (score.benchmark, score.source) == (task.benchmark, task.source)
    ]
    assert scores == sorted(scores)


@EACH
def test_every_model_that_runs_and_has_the_capability_is_ranked(task: Task) -> None:
    able = {
        variant.id
        for variant in catalog().variants
        if variant.runs_here
        and not variant.packaged_file
        and set(task.needs) & set(variant.capabilities)
        and (not task.context_required or variant.context_tokens >= task.context_tokens)
    }
    without_pictures = {"phi-4-reasoning-vision"}  # its pictures are not read here, and no file of it is listed
    assert able - without_pictures <= set(task.order)


@pytest.mark.parametrize(
    ("typed", "name"), [(" Math ", "math"), ("long_context", "long-context"), ("Long Context", "long-context")]
)
def test_case_and_separators_of_a_task_do_not_matter(typed: str, name: str) -> None:
    assert task_named(typed) is TASKS[name]


@pytest.mark.parametrize(("typed", "name"), [("chatt", "chat"), ("reason", "reasoning"), ("coding", "code")])
def test_a_name_that_is_near_is_proposed(typed: str, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        task_named(typed)
    assert caught.value.hint.startswith(f"did you mean --task {name}? ")


def test_an_unknown_task_lists_those_there_are() -> None:
    with pytest.raises(UsageError, match="unknown task: 'cooking'") as caught:
        task_named("cooking")
    assert all(name in caught.value.hint for name in TASKS)
    assert "phi recommend --task chat" in caught.value.hint


def test_the_floors_ask_more_of_code_than_of_talk_and_most_of_reasoning() -> None:
    assert TASKS["chat"].floor_tps < TASKS["code"].floor_tps < TASKS["reasoning"].floor_tps
