"""Which models Azure fine-tunes, what it can be told, and the page of steps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phicli.catalog.load import catalog
from phicli.errors import NotFoundError, UnsupportedModelError, UsageError
from phicli.finetune.azure.models import azure_model
from phicli.finetune.azure.page import Facts, page
from phicli.finetune.azure.parameters import azure_parameters, job_yaml
from phicli.finetune.azure.writing import _new_folder, name_for, require_free
from tests.support.interrupted import as_soon_as_made


@pytest.mark.parametrize(
    ("typed", "name", "way"),
    [
        ("phi-4-mini", "Phi-4-mini-instruct", "serverless"),
        ("Phi-4-mini-instruct", "Phi-4-mini-instruct", "serverless"),
        ("phi4-mini:q4_k_m", "Phi-4-mini-instruct", "serverless"),
        ("microsoft/phi-4", "Phi-4", "serverless"),
        ("someone/Phi-4-mini-instruct", "Phi-4-mini-instruct", "serverless"),
        ("phi-4-multimodal", "Phi-4-multimodal-instruct", "serverless"),
        ("phi-3-mini-4k", "Phi-3-mini-4k-instruct", "managed"),
        ("phi-3.5-mini", "Phi-3.5-mini-instruct", "managed"),
    ],
)
def test_models_of_azures_catalog(typed: str, name: str, way: str) -> None:
    model = azure_model(typed)
    assert (model.name, model.way) == (name, way)
    assert model.unsure


def test_every_model_has_a_name_in_azure_or_is_refused() -> None:
    refused = []
    for variant in catalog().variants:
        try:
            model = azure_model(variant.id)
        except UnsupportedModelError:
            refused.append(variant.id)
        else:
            assert variant.repo is not None
            assert variant.repo.partition("/")[2].lower() == model.name.lower()
    assert {"phi-4-reasoning", "phi-4-mini-reasoning", "phi-2", "tiny-phi"} <= set(refused)


def test_models_that_azure_does_not_have() -> None:
    with pytest.raises(UnsupportedModelError, match="its documents say so"):
        azure_model("phi-4-mini-reasoning")
    with pytest.raises(UnsupportedModelError, match="do not list"):
        azure_model("phi-2")
    with pytest.raises(NotFoundError) as raised:
        azure_model("phi-4-min")
    assert raised.value.hint.startswith("did you mean phi-4-mini")
    with pytest.raises(NotFoundError, match="not known as a copy of a Phi model"):
        azure_model("someone/thing")


def test_a_folder_says_which_model_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    with pytest.raises(UsageError, match="does not say which model it is"):
        azure_model(str(folder))
    (folder / "config.json").write_text(json.dumps({"_name_or_path": "microsoft/Phi-4-mini-instruct"}))
    assert azure_model(str(folder)).id == "phi-4-mini"
    (folder / "config.json").write_text("{")
    with pytest.raises(UsageError):
        azure_model(str(folder))
    named = tmp_path / "phi-4"
    named.mkdir()
    assert azure_model(str(named)).id == "phi-4"
    with pytest.raises(UsageError, match="is a file"):
        azure_model(str(folder / "config.json"))


def test_parameters_within_the_limits_of_azure() -> None:
    assert azure_parameters(3, 32, 5e-6).hyperparameters() == {
        "num_train_epochs": "3", "per_device_train_batch_size": "32", "learning_rate": "0.000005",
    }  # fmt: skip
    assert azure_parameters(None, None, None).hyperparameters() == {}
    for wrong in [(1.5, None, None), (11, None, None), (None, 33, None), (None, None, 0.0)]:
        with pytest.raises(UsageError):
            azure_parameters(*wrong)


def test_the_job() -> None:
    import yaml

    whole = yaml.safe_load(
        job_yaml(azure_model("phi-4-mini"), azure_parameters(2, None, None), "mine", validation=True)
    )
    assert whole["model"]["path"] == "azureml://registries/azureml/models/Phi-4-mini-instruct/versions/VERSION"
    assert (whole["type"], whole["task"], whole["hyperparameters"]) == (
        "finetuning", "chat_completion", {"num_train_epochs": "2"},
    )  # fmt: skip
    assert whole["training_data"] == "./train.jsonl"
    assert whole["validation_data"] == {"path": "./validation.jsonl", "type": "uri_file"}
    managed = yaml.safe_load(
        job_yaml(azure_model("phi-3-mini-4k"), azure_parameters(None, None, None), "mine", validation=False)
    )
    assert managed["compute"] == "COMPUTE"
    assert not managed.keys() & {"hyperparameters", "validation_data"}


def test_names_for_the_model_that_comes_out() -> None:
    model = azure_model("phi-3.5-mini")
    assert name_for(model, "data/my set.jsonl", None) == "phi-3-5-mini-my-set"
    assert name_for(model, "x.jsonl", "Mine_1") == "Mine_1"
    with pytest.raises(UsageError, match="cannot be a name in Azure"):
        name_for(model, "x.jsonl", "a b")


def test_where_something_is_nothing_is_written(tmp_path: Path) -> None:
    require_free(tmp_path / "new" / "folder")
    require_free(tmp_path)
    (tmp_path / "thesis.txt").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for taken in (tmp_path, tmp_path / "thesis.txt", tmp_path / "link"):
        with pytest.raises(UsageError):
            require_free(taken)


def facts(model: str, validation: int | None) -> Facts:
    parameters = azure_parameters(2, None, 1e-5)
    return Facts(azure_model(model), parameters, "mine", 40, validation, 1, "phi finetune", "2026-11-29", "1.0")


def test_an_interruption_as_soon_as_the_folder_is_there_leaves_none(tmp_path: Path) -> None:
    with as_soon_as_made(tmp_path / "deep", ".out.new-*"), _new_folder(tmp_path / "deep" / "out"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_page_says_what_is_not_sure_and_where_it_is_from() -> None:
    text = page(facts("phi-4-mini", 4))
    for expected in (
        "# Fine-tune Phi-4-mini-instruct", "## What is not sure", "East US 2", "(2026-01-28)", "az ml job create",
        'load_job("job.yaml")', "**+ Add validation data**", "| Number of epochs (1 to 10) | `num_train_epochs` | 2 |",
        "`learning_rate` | 0.00001 |", "1 part of the examples could not be written",
    ):  # fmt: skip
        assert expected in text
    assert "COMPUTE" not in text
    managed = page(facts("phi-3-mini-4k", None))
    assert "COMPUTE is the name of your GPU cluster" in managed
    assert "retired on 2025-08-30" in managed
    assert "East US" not in managed
    assert "validation.jsonl" not in managed
