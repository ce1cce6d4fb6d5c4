"""Which files on this machine are of the model that an adapter was trained for."""

from __future__ import annotations

from collections.abc import Iterator

from phicli.catalog.load import catalog
from phicli.catalog.names import squash
from phicli.catalog.resolve import known_by_name
from phicli.catalog.types import Variant
from phicli.errors import PhiError
from phicli.gguf_file.adapter import AdapterHeader, check_base
from phicli.gguf_file.header import read_header
from phicli.plan.installed import installed_models
from phicli.plan.locate import locate


def models_of_base(adapter: AdapterHeader, base: str) -> tuple[str, ...]:
    """What to type for each file of the model ``base`` that the adapter fits, the least quantized first.

    Another model with the same shapes is not among them: an adapter for Phi-4-mini-instruct fits
    Phi-4-mini-reasoning as well, and would say nothing about what was trained.

    Args:
        adapter: its shapes decide.
        base: what the model that was trained is called, such as ``Phi-4-mini-instruct``.
    """
    sizes = {name: size for name, size in _files(base) if _fits(adapter, name)}
    return tuple(sorted(sizes, key=lambda name: -sizes[name]))


def _files(base: str) -> Iterator[tuple[str, int]]:
    """The files of a model on this machine, by what is typed for them, with their sizes in bytes."""
    variant = known_by_name(base)
    for model in installed_models(catalog()):
        known = None if model.variant_id is None else catalog().variant(model.variant_id)
        if _is_base(model.name, known, base, variant):
            yield model.name, model.size_bytes
    if variant is not None and variant.packaged_file is not None:
        located = locate(variant.id)
        yield located.name, located.path.stat().st_size


def _is_base(name: str, known: Variant | None, base: str, variant: Variant | None) -> bool:
    if variant is not None and known is not None:
        return known.id == variant.id
    own = squash(name.rpartition("/")[2].partition(":")[0])
    return known is variant is None and own in (squash(base), squash(f"{base}-gguf"))


def _fits(adapter: AdapterHeader, model: str) -> bool:
    try:
        check_base(adapter, read_header(locate(model).path), name="", model=model)
    except PhiError:
        return False
    return True
