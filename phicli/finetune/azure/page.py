"""The page of steps that lies next to the data: for people, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from phicli.finetune.azure.models import REGIONS, AzureModel
from phicli.finetune.azure.parameters import COMPUTE, VERSION, AzureParameters
from phicli.units import counted

READ: Final = "November 2026"
"""When the documents were read."""
_TRIED: Final = "1.35.2"
_DOCS: Final = "https://learn.microsoft.com/azure"
_SOURCES: Final = (
    ("Fine-tune models by using serverless API deployments", "2026-01-28",
     f"{_DOCS}/foundry-classic/how-to/fine-tune-serverless"),
    ("Region availability for models in serverless APIs", "2026-02-17",
     f"{_DOCS}/foundry-classic/how-to/deploy-models-serverless-availability"),
    ("Fine-tune models with Microsoft Foundry", "2025-12-03",
     f"{_DOCS}/foundry-classic/concepts/fine-tuning-overview"),
    ("Fine-tune models using managed compute", "2026-03-31",
     f"{_DOCS}/foundry-classic/how-to/fine-tune-managed-compute"),
    ("Model deprecation and retirement", "2026-02-23",
     f"{_DOCS}/foundry-classic/concepts/model-lifecycle-retirement"),
    ("Fine-tuning in Microsoft Foundry (the new portal)", "2026-10-06",
     f"{_DOCS}/foundry/fine-tuning/overview"),
    ("Samples: jobs and a notebook", "commit 04e1ccd", "https://github.com/Azure/azureml-examples"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Facts:
    """What the page is about.

    Attributes:
        model: what is fine-tuned.
        parameters: those that were chosen.
        name: of the model that comes out.
        examples: in the training file.
        validation_examples: in the validation file; None where there is none.
        lost: how many places of the data could not be written.
        command: what wrote the folder.
        made_on: the day, as in ``2026-11-29``.
        version: of phi.
    """

    model: AzureModel
    parameters: AzureParameters
    name: str
    examples: int
    validation_examples: int | None
    lost: int
    command: str
    made_on: str
    version: str


def page(facts: Facts) -> str:
    """The page."""
    serverless = facts.model.way == "serverless"
    parts = (
        _beginning(facts), _unsure(facts), _before(facts), _portal(facts) if serverless else _managed_portal(facts),
        _parameters(facts), _from_here(facts), _afterwards(facts), _sources(),
    )  # fmt: skip
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _beginning(facts: Facts) -> Iterator[str]:
    yield f"# Fine-tune {facts.model.name} in Azure AI Foundry"
    yield ""
    yield f"Written by phi {facts.version} on {facts.made_on}. Nothing was sent, and nothing runs. The command was:"
    yield ""
    yield f"    {facts.command}"
    yield ""
    yield "| file | what it is |"
    yield "|---|---|"
    shape = "chat-completion JSON Lines, UTF-8 with a byte order mark"
    yield f"| `train.jsonl` | {counted(facts.examples, 'example')}: {shape} |"
    if facts.validation_examples is not None:
        yield f"| `validation.jsonl` | {counted(facts.validation_examples, 'example')}, none of them in `train.jsonl` |"
    yield "| `job.yaml` | the job and its parameters, for `az` and for the Python SDK |"
    yield ""
    yield "`phi data check train.jsonl --for azure` has no errors. What Azure's moderation refuses is known only there."
    if facts.lost:
        yield (
            f"{counted(facts.lost, 'part')} of the examples could not be written in this format, such as reasoning "
            "under a separate key. `phi finetune` printed where."
        )


def _unsure(facts: Facts) -> Iterator[str]:
    yield "## What is not sure"
    yield ""
    yield (
        f"These steps follow Microsoft's documents, read in {READ} (see Sources). They were not tried in Azure; "
        f"`job.yaml` was read by azure-ai-ml {_TRIED}, and not submitted."
    )
    yield ""
    for sentence in facts.model.unsure:
        yield f"- {sentence}"
    yield "- The documents do not say whether the trained weights can be downloaded, so plan to use the model in Azure."


def _before(facts: Facts) -> Iterator[str]:
    yield "## Before you begin"
    yield ""
    yield "- An Azure subscription with a payment method. The page of 2025 says that trial subscriptions do not work."
    yield "- The role Owner or Contributor for the subscription, with `Microsoft.Network` among its resource providers."
    if facts.model.way == "serverless":
        yield f"- A project based on a hub, in one of these regions: {', '.join(REGIONS)}."
    else:
        yield "- A project based on a hub, and quota for GPU machines in its region."
    yield (
        "- The price: it is on the Pricing and terms tab of the model. A fine-tuned model that is deployed costs money "
        "per hour, also while it answers nothing."
    )
    if facts.model.way == "serverless":
        yield "- No key of your own for the encryption of the data (customer-managed keys): this is unsupported."


def _portal(facts: Facts) -> Iterator[str]:
    yield "## In the portal"
    yield ""
    yield "1. Sign in to https://ai.azure.com, choose the classic portal and your project."
    yield "2. **Fine-tuning** > **+ Fine-tune model**, choose " + f"**{facts.model.name}**, then **Next**."
    yield "3. **+ Add training data** > **Upload files**: `train.jsonl`."
    yield _validation_step(facts)
    yield "5. Enter the parameters (below), or leave **Default**, then **Submit**."
    yield "6. The **Fine-tuning** tab shows the state of the job. It may wait behind other jobs before it starts."
    yield "7. When the job is finished: **Deploy**. Only one deployment for each model is possible."


def _managed_portal(facts: Facts) -> Iterator[str]:
    yield "## In the portal"
    yield ""
    yield "1. Sign in to https://ai.azure.com, choose the classic portal and your project."
    yield f"2. **Fine-tuning** > **Fine-tune a model**, choose **{facts.model.name}**, then **Managed compute**."
    yield f"3. Enter a name, such as `{facts.name}`, and choose a size of the GPU machine. Upload `train.jsonl`."
    yield _validation_step(facts)
    yield "5. Enter the parameters (below), or leave the default values, then **Submit**."
    yield "6. The list of fine-tuning jobs shows its state. When it is finished, deploy the model from there."


def _validation_step(facts: Facts) -> str:
    if facts.validation_examples is not None:
        return "4. **+ Add validation data** > **Upload files**: `validation.jsonl`."
    return (
        "4. There is no validation data. `--split 0.1` makes some; some pages of the portal offer an automatic split."
    )


def _parameters(facts: Facts) -> Iterator[str]:
    known = facts.parameters
    yield "## Parameters"
    yield ""
    yield "| in the portal | in `job.yaml` | chosen |"
    yield "|---|---|---|"
    yield f"| Number of epochs (1 to 10) | `num_train_epochs` | {_chosen(known.epochs)} |"
    yield f"| Batch size (1 to 32) | `per_device_train_batch_size` | {_chosen(known.batch_size)} |"
    rate = known.hyperparameters().get("learning_rate")
    yield f"| | `learning_rate` | {_chosen(rate)} |"
    yield "| Learning rate multiplier (0.0 to 10.0) | | Azure's choice |"
    yield ""
    yield (
        "The portal multiplies a learning rate that is not documented, so a rate cannot be converted into its "
        "multiplier; Microsoft proposes to try 0.02 to 0.2. Microsoft's sample job has 1 epoch, batch size 1 and "
        "learning rate 0.00002. The portal does not ask for the rank, alpha and dropout of an adapter."
    )


def _chosen(value: object) -> str:
    return "Azure's choice" if value is None else str(value)


def _from_here(facts: Facts) -> Iterator[str]:
    name = facts.model.name
    yield "## From this folder with `az`"
    yield ""
    yield "```sh"
    yield "az extension add --name ml"
    yield "az login"
    yield f"model=$(az ml model show --registry-name azureml --name {name} --label latest --query id --output tsv)"
    yield 'az ml job create --file job.yaml --set model.path="$model" \\'
    yield "    --resource-group RESOURCE-GROUP --workspace-name PROJECT"
    yield "```"
    yield ""
    yield f"Without `--set`, replace {VERSION} in `job.yaml` with the version that the page of the model shows."
    if facts.model.way == "managed":
        yield f"{COMPUTE} is the name of your GPU cluster."
    yield ""
    yield "## From this folder with Python"
    yield ""
    yield "`pip install azure-ai-ml azure-identity`, then:"
    yield ""
    yield "```python"
    yield "from azure.ai.ml import MLClient, load_job"
    yield "from azure.identity import DefaultAzureCredential"
    yield ""
    yield "credential = DefaultAzureCredential()"
    yield 'project = MLClient(credential, "SUBSCRIPTION-ID", "RESOURCE-GROUP", "PROJECT")'
    yield 'registry = MLClient(credential, registry_name="azureml")'
    yield 'job = load_job("job.yaml")'
    yield f'job.model.path = registry.models.get("{name}", label="latest").id'
    yield "job = project.jobs.create_or_update(job)"
    yield "print(job.name, job.status)"
    yield "```"


def _afterwards(facts: Facts) -> Iterator[str]:
    yield "## Afterwards"
    yield ""
    yield "`phi` reaches the deployment as a remote (not tried). Its address and key are on the page of the deployment:"
    yield ""
    yield "```sh"
    yield "phi remotes add azure https://ADDRESS/v1 --kind azure --key-env AZURE_KEY"
    yield f"phi chat azure/{facts.name}"
    if facts.validation_examples is not None:
        yield f"phi eval azure/{facts.name} --set validation.jsonl"
    yield "```"
    yield ""
    yield "Delete the deployment when you no longer need it. The model stays, and can be deployed again."


def _sources() -> Iterator[str]:
    yield "## Sources"
    yield ""
    yield f"Microsoft's documents, with the date that each page has; read in {READ}."
    yield ""
    for title, date, address in _SOURCES:
        yield f"- {title} ({date}): {address}"
