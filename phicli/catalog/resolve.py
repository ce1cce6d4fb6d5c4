"""From the name that a person types to a variant of the catalog."""

from __future__ import annotations

from dataclasses import dataclass

from phicli.catalog.load import catalog
from phicli.catalog.names import is_repo_name, squash
from phicli.catalog.ollama_tags import from_ollama
from phicli.catalog.quants import PACKAGED_QUANT, as_quant, long_form, meant, preference
from phicli.catalog.types import Catalog, GgufSource, Variant
from phicli.errors import THIS_COMMAND, TYPED_COMMAND, NotFoundError, UnsupportedModelError


@dataclass(frozen=True, slots=True)
class Selection:
    """A variant, and the quantization that was asked for (in capitals) or None."""

    variant: Variant
    quant: str | None = None


def resolve(name: str, within: Catalog | None = None) -> Selection:
    """The variant that ``name`` means: ``phi-4-mini``, ``phi-4-mini:q4_k_m``, an alias, or its repository's name.

    The names of Ollama's library mean the same variants: ``phi3``, ``phi4-mini:3.8b``.

    Case and separators do not matter. Any well-formed quantization is accepted for a variant with files on the hub,
    because repositories have more files than the catalog lists; the model that comes with ``phi`` has only its own.

    Raises:
        NotFoundError: no such variant (the hint has close names), or no such quantization.
    """
    typed, name = name, from_ollama(name)
    wanted, _, quant = name.partition(":")
    known = _names(within or catalog())
    variant = known.get(squash(wanted))
    if variant is None:
        raise NotFoundError(f"model {typed!r} not found", _suggest(wanted, known))
    return Selection(variant, _quant(variant, quant) if ":" in name else None)


def require_runnable(variant: Variant) -> None:
    """Return if llama.cpp can run ``variant``.

    Raises:
        UnsupportedModelError: it cannot; the message says what can.
    """
    if not variant.runs_here:
        message = f"{variant.id} cannot run here: {variant.why_not}; it runs on {variant.runs_on}"
        hint = f"see: phi show {variant.id}; or use a model that runs here: {TYPED_COMMAND} {_instead(variant)}"
        raise UnsupportedModelError(message, hint)


def is_repository(name: str) -> bool:
    """Whether ``name`` is written like a repository of the hub that is not a variant's own: ``owner/repo[:…]``."""
    model = name.partition(":")[0]
    return is_repo_name(model) and squash(model) not in _names(catalog())


def sources_of(model: str) -> tuple[Variant | None, tuple[GgufSource, ...]]:
    """The variant that ``model`` means, None for a repository that the catalog does not know, and its sources.

    Raises:
        NotFoundError: there is no such model, or no repository with files of it is known.
        UnsupportedModelError: no engine here can run it.
    """
    if is_repository(model):
        known = ((variant, source) for variant in catalog().variants for source in variant.sources)
        for variant, source in known:
            if source.repo.lower() == model.lower():
                return variant, (source,)
        return None, (GgufSource(model),)
    variant = resolve(model).variant
    require_runnable(variant)
    if not variant.sources and not variant.packaged_file:
        raise NotFoundError(
            f"no repository with GGUF files of {variant.id} is known",
            "name a repository of the hub: phi pull OWNER/REPO:QUANT",
        )
    return variant, variant.sources


def known_by_name(general_name: str | None) -> Variant | None:
    """The variant that a file's own ``general.name`` means ("Phi 4 Mini Instruct"), None when it is not clear."""
    if not general_name:
        return None
    book = {squash(name): variant for variant in catalog().variants for name in (variant.id, *variant.aliases)}
    wanted = squash(general_name)
    return book.get(wanted) or book.get(wanted.removesuffix("instruct"))


def close_names(name: str) -> tuple[str, ...]:
    """At most three ids that are like ``name`` (its quantization does not count), the closest first."""
    return tuple(variant.id for variant in _close(name.partition(":")[0], _names(catalog())))[:3]


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
    known = meant(quant, variant.quants, str)
    if known:
        return known[0]
    written = as_quant(quant) or long_form(quant)
    if written and (variant.sources or (variant.packaged_file and written == PACKAGED_QUANT)):
        return written
    message = f"{variant.id} has no quantization {quant!r}"
    if not variant.runs_here:
        raise NotFoundError(message, f"it has no GGUF files; see what can run it: phi show {variant.id}")
    if not variant.quants:
        there = f"the only one is {PACKAGED_QUANT}; " if variant.packaged_file else ""
        alone = f"name only the model: {TYPED_COMMAND} {variant.id}; or see: phi show {variant.id}"
        raise NotFoundError(message, there + alone)
    command = f"{TYPED_COMMAND} {variant.id}:{_closest(quant, variant.quants).lower()}"
    hint = f"it has {', '.join(variant.quants)}; try: {command}, or see all files: phi show {variant.id}"
    raise NotFoundError(message, hint)


def _closest(typed: str, quants: tuple[str, ...]) -> str:
    """The one of ``quants`` that ``typed`` is most like; of several the usual one, also where none is like it."""
    from difflib import SequenceMatcher

    def likeness(quant: str) -> float:
        return SequenceMatcher(None, squash(quant), squash(typed)).ratio()

    usual_first = sorted(quants, key=preference)
    closest = max(usual_first, key=likeness)
    return closest if typed and likeness(closest) >= 0.5 else usual_first[0]


def _suggest(wanted: str, known: dict[str, Variant]) -> str:
    close = _close(wanted, known)
    if not close:
        return f"see all models: phi list; tiny-phi needs no download: {THIS_COMMAND} tiny-phi"
    closest = close[0]
    if not closest.runs_here:
        return f"did you mean {closest.id}? It cannot run here; see: phi show {closest.id}; all models: phi list"
    ids = [variant.id for variant in close if variant.runs_here][:3]
    names = " or ".join(filter(None, (", ".join(ids[:-1]), ids[-1])))
    return f"did you mean {names}? Try: {TYPED_COMMAND} {ids[0]}, or see all models: phi list"


def _close(wanted: str, known: dict[str, Variant]) -> tuple[Variant, ...]:
    """Variants with names that are like ``wanted``, the closest first."""
    from difflib import get_close_matches

    start = squash(wanted)
    close = [name for name in known if len(start) > 3 and name.startswith(start)]
    close += get_close_matches(start, known, n=5, cutoff=0.6)
    return tuple(dict.fromkeys(known[name] for name in close))


def _instead(variant: Variant) -> str:
    return "phi-4-mini-reasoning" if variant.reasoning else "phi-4-mini"
