"""Which models of the catalog an adapter fits, by the shapes of their matrices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from phicli.catalog.load import catalog
from phicli.catalog.types import Dimensions
from phicli.gguf_file.adapter import EMBEDDING, OUTPUT, AdapterHeader

_LAYER: Final = re.compile(r"blk\.(\d+)\.(\w+)\.weight")


def fitting_models(adapter: AdapterHeader) -> tuple[str, ...]:
    """The names of the models whose matrices have the shapes of the adapter; the sizes of others are unknown here."""
    return tuple(
        variant.id
        for variant in catalog().variants
        if variant.architecture == adapter.architecture
        and variant.dimensions is not None
        and _fits(adapter, variant.dimensions)
    )


def _fits(adapter: AdapterHeader, sizes: Dimensions) -> bool:
    if sizes.feed_forward is None or sizes.experts:
        return False
    shapes = _shapes(sizes, sizes.feed_forward)
    for pair in adapter.pairs.values():
        match = _LAYER.fullmatch(pair.tensor)
        if match is not None and int(match[1]) >= sizes.layers:
            return False
        if pair.tensor in (OUTPUT, EMBEDDING) and sizes.tied:
            return False
        if shapes.get(match[2] if match else pair.tensor, pair.shape) != pair.shape:
            return False
    return True


def _shapes(sizes: Dimensions, feed_forward: int) -> Mapping[str, tuple[int, int]]:
    """The matrices of ``phi3``, inputs first."""
    query, key = sizes.heads * sizes.head_size, sizes.kv_heads * sizes.head_size
    return {
        "attn_qkv": (sizes.hidden, query + 2 * key),
        "attn_output": (query, sizes.hidden),
        "ffn_up": (sizes.hidden, 2 * feed_forward),
        "ffn_down": (feed_forward, sizes.hidden),
        OUTPUT: (sizes.hidden, sizes.vocabulary),
        EMBEDDING: (sizes.hidden, sizes.vocabulary),
    }
