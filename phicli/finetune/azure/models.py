"""Which Phi models Azure AI Foundry fine-tunes, by its documents.

Sources (MicrosoftDocs/azure-ai-docs, with the date that each page has), read in November 2026:

- ``foundry-classic/includes/region-availability-maas.md`` (2026-02-17): the regions for Phi-4, Phi-4-mini-instruct and
  Phi-4-multimodal-instruct; "Not available" for Phi-4-reasoning and Phi-4-mini-reasoning.
- ``foundry-classic/concepts/fine-tuning-overview.md`` (2025-12-03): Phi-4 and Phi-4-mini-instruct, not the multimodal
  one; a project based on a hub.
- ``foundry-classic/concepts/model-lifecycle-retirement.md`` (2026-02-23): Phi-3 and Phi-3.5 were retired on 2025-08-30,
  with their replacements.
- ``foundry-classic/how-to/fine-tune-managed-compute.md`` (2026-03-31): on GPU machines of one's own, with
  Phi-3-mini-4k-instruct as its example.
- ``foundry/includes/fine-tune-supported-models.md`` (2026-03-05): the models of the new portal; no Phi among them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from phicli.catalog.load import catalog
from phicli.catalog.resolve import close_names, is_repository, known_by_name, resolve
from phicli.catalog.types import Variant
from phicli.errors import NotFoundError, UnsupportedModelError, UsageError
from phicli.paths import expand, is_there, read_small

REGIONS: Final = ("East US", "East US 2", "North Central US", "South Central US", "West US", "West US 3")
"""Where a project for serverless fine-tuning may be; the same for all three models."""
_RETIRED_ON: Final = "2025-08-30"
_SERVERLESS: Final[Mapping[str, str]] = {
    "phi-4": "Phi-4",
    "phi-4-mini": "Phi-4-mini-instruct",
    "phi-4-multimodal": "Phi-4-multimodal-instruct",
}
_MANAGED: Final[Mapping[str, str]] = {
    "phi-3-mini-4k": "Phi-3-mini-4k-instruct",
    "phi-3-mini-128k": "Phi-3-mini-128k-instruct",
    "phi-3-medium-4k": "Phi-3-medium-4k-instruct",
    "phi-3-medium-128k": "Phi-3-medium-128k-instruct",
    "phi-3.5-mini": "Phi-3.5-mini-instruct",
}
_NOT_AVAILABLE: Final = ("phi-4-reasoning", "phi-4-mini-reasoning")
_ONLY_LISTED: Final = "phi-4-multimodal"
_EXAMPLE: Final = "phi-3-mini-4k"
_CONFIG_BYTES: Final = 1 << 24
_NAME_ONE: Final = "name one that can: phi-4-mini or phi-4"


@dataclass(frozen=True, slots=True)
class AzureModel:
    """A model of Azure's catalog.

    Attributes:
        id: what it is called here.
        name: what it is called there.
        way: ``serverless``, which needs no machine of one's own, or ``managed``, on GPU machines of one's own.
        unsure: what its documents leave open, as sentences.
    """

    id: str
    name: str
    way: Literal["serverless", "managed"]
    unsure: tuple[str, ...] = ()


def azure_model(typed: str) -> AzureModel:
    """The model of Azure's catalog for a name, a repository or a folder with a ``config.json``.

    Raises:
        NotFoundError: nothing is called that; the hint has close names.
        UnsupportedModelError: Azure does not fine-tune it.
        UsageError: it is a file, or a folder that does not say which model it is.
    """
    variant = _variant(typed)
    if variant.id in _SERVERLESS:
        return AzureModel(variant.id, _SERVERLESS[variant.id], "serverless", tuple(_open_questions(variant.id)))
    if variant.id in _MANAGED:
        return AzureModel(variant.id, _MANAGED[variant.id], "managed", tuple(_open_questions(variant.id)))
    why = (
        "its documents say so (2026-02-17)" if variant.id in _NOT_AVAILABLE else "its documents do not list this model"
    )
    raise UnsupportedModelError(f"{variant.id} cannot be fine-tuned in Azure AI Foundry: {why}", _NAME_ONE)


def _open_questions(model: str) -> Iterator[str]:
    yield (
        "The list of models that the new Foundry portal fine-tunes (2026-03-05) has no Phi model, so the steps are "
        "those of the classic portal, with a project based on a hub. Look first whether its catalog still offers "
        "fine-tuning for this model: the filter is called Fine-tuning tasks."
    )
    if model == _ONLY_LISTED:
        yield (
            "The table of regions lists this model for fine-tuning (2026-02-17), but the overview of fine-tuning "
            "(2025-12-03) does not name it. Whether images and speech can be in the data is not documented: these "
            "files have text only."
        )
    if model in _MANAGED:
        yield (
            f"This model was retired on {_RETIRED_ON} where Microsoft provides the machines (serverless), so the steps "
            "are for managed compute: GPU machines of your own. Phi-4-mini-instruct and Phi-4 need none."
        )
    if model in _MANAGED and model != _EXAMPLE:
        yield "Microsoft's pages about managed compute use Phi-3-mini-4k-instruct, and do not list other models."


def _variant(typed: str) -> Variant:
    if is_there(typed):
        return _variant_in(typed)
    if "/" in typed and is_repository(typed):
        repo = typed.partition(":")[0]
        variant = known_by_name(repo.partition("/")[2])
        if variant is None:
            raise NotFoundError(f"{repo} is not known as a copy of a Phi model", _NAME_ONE)
        return variant
    try:
        return resolve(typed.partition(":")[0]).variant
    except NotFoundError as error:
        close = close_names(typed)
        hint = f"did you mean {' or '.join(close)}?" if close else f"{_NAME_ONE}; all models: phi list"
        raise NotFoundError(error.message, hint) from None


def _variant_in(typed: str) -> Variant:
    """The model that a folder says it is: in its ``config.json``, else by its own name."""
    path = expand(typed).resolve()
    if not path.is_dir():
        raise UsageError(f"{typed} is a file: Azure starts from its own copy of a model", "name the model: phi-4-mini")
    for name in (str(_config(path).get("_name_or_path") or ""), path.name):
        variant = _called(Path(name).name)
        if variant is not None:
            return variant
    raise UsageError(
        f"{typed} does not say which model it is: Azure starts from its own copy of a model",
        "name the model rather than the folder: phi-4-mini",
    )


def _called(name: str) -> Variant | None:
    repos = {variant.repo.rpartition("/")[2].lower(): variant for variant in catalog().variants if variant.repo}
    return repos.get(name.lower()) or known_by_name(name)


def _config(folder: Path) -> Mapping[str, Any]:
    try:
        config = json.loads(read_small(folder / "config.json", _CONFIG_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return config if isinstance(config, dict) else {}
