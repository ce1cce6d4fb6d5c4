"""From the name that a person types to a variant of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from phicli.catalog.load import catalog
from phicli.catalog.names import looks_like_quant, squash
from phicli.catalog.types import Catalog, Variant
from phicli.errors import NotFoundError, UnsupportedModelError


@dataclass(frozen=True, slots=True)
class Selection:
    """A variant, and the quantisation that was asked for (in capitals) or None."""

    variant: Variant
    quant: str | None = None


def resolve(name: str, within: Catalog | None = None) -> Selection:
    """The variant that ``name`` means: ``phi-4-mini``, ``phi-4-mini:q4_k_m``, an alias, or its repository's name.

    Case and separators do not matter. Any well-formed quantisation is accepted for a variant with files on the hub,
    because repositories have more files than the catalogue lists.

    Raises:
        NotFoundError: no such variant (the hint has close names), or no such quantisation.
    """
    wanted, _, quant = name.partition(":")
    known = _names(within or catalog())
    variant = known.get(squash(wanted))
    if variant is None:
        raise NotFoundError(f"there is no model called {name!r}", _suggest(wanted, known))
    return Selection(variant, _quant(variant, quant) if ":" in name else None)


def require_runnable(variant: Variant) -> None:
    """Return if llama.cpp can run ``variant``.

    Raises:
        UnsupportedModelError: it cannot; the message says what can.
    """
    if not variant.runs_here:
        message = f"{variant.id} cannot run here: {variant.why_not}; it runs on {variant.runs_on}"
        hint = f"more about it: phi show {variant.id}; of the family, this runs here: phi chat {_instead(variant)}"
        raise UnsupportedModelError(message, hint)


def names(within: Catalog | None = None) -> tuple[str, ...]:
    """Every id, in catalogue order: what a shell may complete."""
    return tuple(variant.id for variant in (within or catalog()).variants)


def _names(book: Catalog) -> dict[str, Variant]:
    """Squashed name → variant; ids and aliases win over the names of repositories."""
    found: dict[str, Variant] = {}
    for variant in book.variants:
        if variant.repo:
            short = variant.repo.partition("/")[2]
            for name in (variant.repo, short, f"{variant.id}-instruct"):
                found.setdefault(squash(name), variant)
    for variant in book.variants:
        for name in (variant.id, *variant.aliases):
            found[squash(name)] = variant
    return found


def _quant(variant: Variant, quant: str) -> str:
    by_squashed = {squash(known): known for known in variant.quants}
    if squash(quant) in by_squashed:
        return by_squashed[squash(quant)]
    if variant.sources and looks_like_quant(quant):
        return quant.upper().replace("-", "_").replace("UD_", "UD-")
    message = f"{variant.id} has no quantisation {quant!r}"
    if not variant.runs_here:
        raise NotFoundError(message, f"it has no GGUF files; what can run it: phi show {variant.id}")
    if not by_squashed:
        raise NotFoundError(message, f"leave it out: phi chat {variant.id}, or see: phi show {variant.id}")
    close = get_close_matches(squash(quant), by_squashed, n=1, cutoff=0.5)
    usual = "Q4_K_M" if "Q4_K_M" in variant.quants else variant.quants[0]
    example = by_squashed[close[0]] if close and quant else usual
    command = f"phi chat {variant.id}:{example.lower()}"
    hint = f"there is {', '.join(variant.quants)}. Try: {command}, or see them all: phi show {variant.id}"
    raise NotFoundError(message, hint)


def _suggest(wanted: str, known: dict[str, Variant]) -> str:
    start = squash(wanted)
    close = [name for name in known if len(start) > 3 and name.startswith(start)]
    close += get_close_matches(start, known, n=5, cutoff=0.6)
    ids = list(dict.fromkeys(known[name].id for name in close))[:3]
    if not ids:
        return "see which there are: phi list; one needs no download: phi chat tiny-phi"
    return f"did you mean {' or '.join(ids)}? Then: phi chat {ids[0]}. All of them: phi list"


def _instead(variant: Variant) -> str:
    return "phi-4-mini-reasoning" if variant.reasoning else "phi-4-mini"
