"""The ``data`` of ``phi list --json`` and ``phi show --json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from typing import Any, Final

from phicli.chat_format.example import PromptExample
from phicli.plan.description import VariantDescription
from phicli.plan.file_description import FileDescription, VocabularyDescription
from phicli.plan.installed import InstalledModel
from phicli.plan.overview import ModelRow, Overview, PublishedFile
from phicli.plan.recommendation import OnThisMachine
from phicli.records.tuned import Tuned
from phicli.ui.bench.tuned_settings import tuned_data
from phicli.ui.models.on_this_machine import here_data

_OWN_KEYS: Final = ("id", "sources")


def overview_data(found: Overview) -> dict[str, Any]:
    """The fields of ``list --json``: ``models[]``, and how many were left out as they cannot run here."""
    return {"models": [_row(row) for row in found.rows], "hidden": found.hidden}


def description_data(
    shown: VariantDescription | FileDescription,
    example: PromptExample | None,
    here: OnThisMachine | None = None,
    tuned: Sequence[tuple[str | None, Tuned]] = (),
) -> dict[str, Any]:
    """The fields of ``show --json``: ``model`` (an id of the catalog, or null) and all about it.

    ``file`` is there for a file that was named by its path or by a name that the catalog does not have.
    ``on_this_machine`` and ``chat_sampling`` (how ``phi chat`` samples) are null for what cannot run here. ``tuned``
    has the settings that tuning found for its files.
    """
    on_this_machine = None if here is None else here_data(here)
    if isinstance(shown, FileDescription):
        return {
            "model": shown.variant.id if shown.variant else None,
            "file": _file(shown),
            "on_this_machine": on_this_machine,
            "tuned": tuned_data(tuned),
            "prompt": _prompt(shown.prompt_format.name, example) if shown.is_model else None,
            "chat_sampling": shown.sampling.to_data(),
        }
    variant = shown.variant
    return {
        "model": variant.id,
        "quant": shown.quant,
        **{item.name: _plain(getattr(variant, item.name)) for item in fields(variant) if item.name not in _OWN_KEYS},
        "runs_here": variant.runs_here,
        "quants": list(variant.quants),
        "repositories": [
            {"repo": source.repo, "revision": source.revision, "source": source.source, "note": source.note}
            for source in variant.sources
        ],
        "files": [published_data(file) for file in shown.published],
        "best_file": None if shown.best is None else published_data(shown.best),
        "installed": [installed_data(model) for model in shown.installed],
        "on_this_machine": on_this_machine,
        "tuned": tuned_data(tuned),
        "packaged_path": None if shown.packaged_path is None else str(shown.packaged_path),
        "prompt": _prompt(variant.prompt_format, example),
        "chat_sampling": shown.sampling.to_data() if variant.runs_here else None,
        "references": dict(shown.sources),
    }


def installed_data(model: InstalledModel) -> dict[str, Any]:
    """One entry of ``installed[]``."""
    return {**asdict(model), "path": str(model.path)}


def published_data(file: PublishedFile) -> dict[str, Any]:
    """A file that can be downloaded; ``size_bytes`` is null where ``size_approx_bytes`` is all that is known."""
    data = asdict(file)
    exact = data.pop("size_is_exact")
    size = data.pop("size_bytes")
    return {**data, "size_bytes": size if exact else None, "size_approx_bytes": None if exact else size}


def _row(row: ModelRow) -> dict[str, Any]:
    variant = row.variant
    installed = [installed_data(model) for model in row.installed]
    best = None if row.best is None else published_data(row.best)
    common: dict[str, Any] = {"id": row.id, "runs_here": row.runs_here, "best_file": best, "installed": installed}
    if variant is None:
        facts = asdict(row.facts)
        return {**common, **_STRANGER, **facts, "quants": [model.quant for model in row.installed if model.quant]}
    return common | {
        "family": variant.family,
        "title": variant.title,
        "parameters": variant.parameters,
        "active_parameters": variant.active_parameters,
        "context_tokens": variant.context_tokens,
        "license": variant.license,
        "capabilities": list(variant.capabilities),
        "strength": variant.strength,
        "best_use": variant.best_use,
        "release": variant.release,
        "languages": list(variant.languages),
        "runs_on": variant.runs_on,
        "why_not": variant.why_not,
        "built_in": variant.packaged_file is not None,
        "quants": list(variant.quants),
    }


_STRANGER: Final[Mapping[str, Any]] = {
    "family": None,
    "title": None,
    "active_parameters": None,
    "license": None,
    "capabilities": [],
    "strength": None,
    "best_use": None,
    "release": None,
    "languages": [],
    "runs_on": "llama.cpp",
    "why_not": None,
    "built_in": False,
}


def _file(shown: FileDescription) -> dict[str, Any]:
    names = (
        "kind", "architecture", "general_name", "quant", "parameters", "context_tokens", "original_context_tokens",
        "layers", "heads", "kv_heads", "head_size", "hidden", "feed_forward", "experts", "has_chat_template",
        "split_count", "complete", "size_bytes",
    )  # fmt: skip
    return {
        "path": str(shown.path),
        **{name: getattr(shown, name) for name in names},
        "said": dict(shown.said),
        "vocabulary": None if shown.vocabulary is None else _vocabulary(shown.vocabulary),
        "verified_at": shown.verified and shown.verified.verified_at,
        "sha256": shown.verified and shown.verified.sha256,
    }


def _vocabulary(vocabulary: VocabularyDescription) -> dict[str, Any]:
    return {**asdict(vocabulary), "special_tokens": {str(index): text for index, text in vocabulary.special_tokens}}


def _prompt(name: str | None, example: PromptExample | None) -> dict[str, Any] | None:
    if name is None:
        return None
    if example is None:
        return {"format": name, "example": None, "stop_tokens": []}
    return {
        "format": name,
        "messages": [{"role": message.role, "content": message.content} for message in example.messages],
        "example": example.text,
        "stop_tokens": list(example.stop_tokens),
        "stop_strings": list(example.stop_strings),
    }


def _plain(value: Any) -> Any:
    """``value`` as JSON has it."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
