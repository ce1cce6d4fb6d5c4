"""The parameters that Azure AI Foundry takes, and the job for ``az`` that holds them.

Two interfaces, two sets of names (MicrosoftDocs/azure-ai-docs, ``foundry-classic/how-to/fine-tune-serverless.md``,
2026-01-28):

- The portal asks for a batch size (1 to 32), a learning rate multiplier (0.0 to 10.0) and a number of epochs (1 to 10).
- A job for ``az`` or for the Python SDK has ``hyperparameters`` with ``per_device_train_batch_size``, ``learning_rate``
  and ``num_train_epochs``, each a string.

Microsoft's sample names the data ``train.jsonl``, which azure-ai-ml 1.35 reads as the name of an uploaded data set, and
``./train.jsonl`` as a file next to the job.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from phicli.errors import UsageError
from phicli.finetune.azure.models import AzureModel

VERSION: Final = "VERSION"
"""Stands for the version of the model in Azure's registry; the steps say how to get the newest."""
COMPUTE: Final = "COMPUTE"
"""Stands for the name of a GPU cluster of one's own."""
_MOST_BATCH: Final = 32
_MOST_EPOCHS: Final = 10


@dataclass(frozen=True, slots=True)
class AzureParameters:
    """What was chosen; None leaves the choice to Azure."""

    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None

    def hyperparameters(self) -> dict[str, str]:
        """As a job has them."""
        rate = None if self.learning_rate is None else f"{Decimal(str(self.learning_rate)):f}"
        every = {
            "num_train_epochs": self.epochs, "per_device_train_batch_size": self.batch_size, "learning_rate": rate
        }  # fmt: skip
        return {name: str(value) for name, value in every.items() if value is not None}

    def to_data(self) -> dict[str, Any]:
        """As JSON shows it."""
        return {"epochs": self.epochs, "batch_size": self.batch_size, "learning_rate": self.learning_rate}


def azure_parameters(epochs: float | None, batch_size: int | None, learning_rate: float | None) -> AzureParameters:
    """The parameters, within the limits that Azure documents.

    Raises:
        UsageError: one is outside.
    """
    if epochs is not None and (epochs != int(epochs) or not 1 <= epochs <= _MOST_EPOCHS):
        raise UsageError(
            f"--epochs {epochs:g} cannot be set in Azure AI Foundry: it takes whole numbers from 1 to {_MOST_EPOCHS}",
            "choose another number, or leave it out: then Azure chooses",
        )
    if batch_size is not None and batch_size > _MOST_BATCH:
        raise UsageError(
            f"--batch-size {batch_size} is too large: Azure AI Foundry takes 1 to {_MOST_BATCH}",
            "choose a smaller one, or leave it out: then Azure chooses",
        )
    if learning_rate is not None and learning_rate <= 0:
        raise UsageError("--learning-rate 0 trains nothing", "choose a larger one, e.g. 2e-5")
    return AzureParameters(None if epochs is None else int(epochs), batch_size, learning_rate)


def job_yaml(model: AzureModel, parameters: AzureParameters, name: str, *, validation: bool) -> str:
    """The job as a file for ``az ml job create``, in the shape of Microsoft's samples (Azure/azureml-examples).

    Args:
        model: what is fine-tuned.
        parameters: those that were chosen; others are left out.
        name: of the model that comes out.
        validation: whether there is validation data.
    """
    return "".join(f"{line}\n" for line in _lines(model, parameters, name, validation=validation))


def _lines(model: AzureModel, parameters: AzureParameters, name: str, *, validation: bool) -> Iterator[str]:
    placeholders = f"{VERSION} and {COMPUTE}" if model.way == "managed" else VERSION
    yield f"# A fine-tuning job for Azure. STEPS.md says what {placeholders} must become."
    yield "type: finetuning"
    yield f"experiment_name: {_text(name)}"
    yield f"display_name: {_text(name)}"
    yield "task: chat_completion"
    yield "model_provider: custom"
    yield "model:"
    yield f"  path: {_text(f'azureml://registries/azureml/models/{model.name}/versions/{VERSION}')}"
    yield "  type: mlflow_model"
    if model.way == "managed":
        yield f"compute: {_text(COMPUTE)}"
    yield "training_data: ./train.jsonl"
    if validation:
        yield "validation_data:"
        yield "  path: ./validation.jsonl"
        yield "  type: uri_file"
    chosen = parameters.hyperparameters()
    if chosen:
        yield "hyperparameters:"
        yield from (f"  {key}: {_text(value)}" for key, value in chosen.items())
    yield "outputs:"
    yield "  registered_model:"
    yield f"    name: {_text(name)}"
    yield "    type: mlflow_model"


def _text(value: str) -> str:
    """A string in YAML, whose quoted form JSON's is."""
    return json.dumps(value)
