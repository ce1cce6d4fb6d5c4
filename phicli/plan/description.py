"""Everything about one model, for ``phi show``: a variant of the catalog, or a file by its header."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

from phicli.catalog.load import catalog
from phicli.catalog.resolve import resolve
from phicli.catalog.types import Dimensions, Variant
from phicli.errors import NotFoundError
from phicli.fit.assessing import SpeedOf
from phicli.fit.repacking import repacked_types
from phicli.fit.shape import ModelShape, loaded_by, shape_of
from phicli.fit.types import USUAL_PROMPT_TOKENS, Candidate
from phicli.gguf_file.header import read_any_header
from phicli.hardware.types import Machine
from phicli.hub.in_place import registry
from phicli.hub.typed_name import typed_name
from phicli.paths import expand
from phicli.plan.candidates import candidates
from phicli.plan.file_description import FileDescription, describe_file
from phicli.plan.installed import InstalledModel, installed_models
from phicli.plan.known_speed import known_speed
from phicli.plan.locate import locate
from phicli.plan.machine import MachineOptions, machine_of
from phicli.plan.overview import PublishedFile, best_file, installed_of, published_files
from phicli.plan.recommendation import OnThisMachine, quants_here, recommended_quant
from phicli.plan.sampling import ChatSampling, sampling_of_variant


@dataclass(frozen=True, slots=True)
class VariantDescription:
    """A variant of the catalog; ``quant`` (in capitals) is the one that was asked for.

    ``published`` and ``installed`` hold only that one then. ``packaged_path`` is the file inside the package,
    ``packaged_bytes`` its size. ``sources`` maps the key of every source that the catalog names for the variant to
    what that source is. ``recommended`` is the quantization for this machine, None as long as nobody looked or where
    none fits.
    """

    variant: Variant
    quant: str | None
    published: tuple[PublishedFile, ...]
    installed: tuple[InstalledModel, ...]
    packaged_path: Path | None
    sources: Mapping[str, str]
    recommended: str | None = None
    packaged_bytes: int = 0

    @property
    def best(self) -> PublishedFile | None:
        """The file that ``phi pull`` takes for what was asked for, as far as the catalog knows it.

        That of the recommended quantization where the first source has it, else the usual one.
        """
        recommended = tuple(file for file in self.published if file.quant == self.recommended)
        return best_file(self.variant, recommended) or best_file(self.variant, self.published)

    @property
    def sampling(self) -> ChatSampling:
        """How ``phi chat`` samples its answers."""
        return sampling_of_variant(self.variant)

    @property
    def takes(self) -> str | None:
        """The quantization of that file; where only the hub knows the files, the one that is looked for there first."""
        if not self.variant.sources:
            return None
        return self.quant or (self.best.quant if self.best else self.recommended)


def describe(name: str) -> VariantDescription | FileDescription:
    """What ``name`` means: a path, a name of the catalog, a name registered here, or a repository in the cache.

    Raises:
        NotFoundError: no such model or file; the hint has close names.
        UsageError: the path is a directory or a device, or the name is empty.
        IntegrityError: the file is not a GGUF file, or it is damaged.
    """
    if _is_path(name) or registry.find(name) is not None:
        return describe_file(locate(name))
    try:
        selection = resolve(typed_name(name))
    except NotFoundError:
        return describe_file(locate(name))
    variant, quant = selection.variant, selection.quant
    packaged = _packaged(variant)
    return VariantDescription(
        variant=variant,
        quant=quant,
        published=tuple(file for file in published_files(variant) if quant in (None, file.quant)),
        installed=tuple(model for model in installed_of(variant, installed_models()) if quant in (None, model.quant)),
        packaged_path=packaged,
        packaged_bytes=packaged.stat().st_size if packaged else 0,
        sources=_sources(variant),
    )


def look_here(
    shown: VariantDescription | FileDescription, tell: Callable[[str], None]
) -> tuple[VariantDescription | FileDescription, OnThisMachine | None]:
    """:func:`on_machine` for this machine, with all that was measured on it.

    Nothing is looked at for what cannot run here. ``tell`` is as for :func:`phicli.plan.known_speed.known_speed`.
    """
    if shown.variant is not None and not shown.variant.runs_here:
        return shown, None
    machine = machine_of(MachineOptions())
    return on_machine(shown, machine, known_speed(machine, prompt_tokens=USUAL_PROMPT_TOKENS, tell=tell))


def on_machine(
    shown: VariantDescription | FileDescription, machine: Machine, speed_of: SpeedOf
) -> tuple[VariantDescription | FileDescription, OnThisMachine | None]:
    """What is shown, with the quantization that is recommended for ``machine``, and what all of them take there.

    The latter is None if it cannot run there: no engine does, it is not a language model, or parts of it are missing.
    """
    if shown.variant is not None and not shown.variant.runs_here:
        return shown, None
    if isinstance(shown, FileDescription):
        one = _candidate(shown, machine)
        return shown, None if one is None else quants_here(one.variant, machine, (one,), speed_of)
    variant = shown.variant
    book, repacked = replace(catalog(), variants=(variant,)), repacked_types(machine)
    known = candidates(book, shown.installed, repacked=repacked, gpus=machine.gpus)
    own = [one for one in known if shown.quant in (None, one.quant)]
    shown = replace(shown, recommended=recommended_quant(variant, machine, own, speed_of))
    return shown, quants_here(variant, machine, own, speed_of, takes=shown.takes)


def _candidate(shown: FileDescription, machine: Machine) -> Candidate | None:
    """What the header says; of a model in several parts the first has the dimensions, all have the weights."""
    if not (shown.complete and shown.is_model):
        return None
    shape = loaded_by(shape_of(read_any_header(shown.path), repacked=repacked_types(machine)), machine.gpus)
    if not (shape.layers and shape.embedding and shape.vocabulary and shape.heads):
        return None
    if shown.split_count > 1:
        share = shown.size_bytes / max(shape.weights_bytes, 1)
        shape = replace(
            shape,
            weights_bytes=shown.size_bytes,
            repackable_bytes=int(shape.repackable_bytes * share),
            expert_bytes=int(shape.expert_bytes * share),
        )
    variant = shown.variant or _stranger(shown, shape)
    trained = shape.trained_context_tokens or variant.context_tokens
    variant, path = replace(variant, context_tokens=trained), str(shown.path.resolve())
    return Candidate(variant, shown.quant or "", shape, "header", installed=True, path=path)


def _stranger(shown: FileDescription, shape: ModelShape) -> Variant:
    """A variant that the catalog does not have, by the header of its file; one without a context size takes any."""
    dimensions = Dimensions(
        layers=shape.layers,
        heads=shape.heads,
        kv_heads=shape.kv_heads_total // shape.layers,
        head_size=shape.key_length,
        hidden=shape.embedding,
        vocabulary=shape.vocabulary,
        tied=not shape.output_bytes,
        feed_forward=shape.feed_forward or None,
        experts=shape.experts,
        experts_used=shape.experts_used,
    )
    name = shown.general_name or shown.path.name
    return Variant(
        id=name,
        family="",
        title=name,
        parameters=shown.parameters or 0,
        context_tokens=1 << 17,
        license="",
        runs_on="llama.cpp",
        architecture=shown.architecture,
        dimensions=dimensions,
    )


def _is_path(name: str) -> bool:
    """Whether ``name`` is certainly a path, by the rules of :func:`locate`."""
    if name.lower().endswith(".gguf") or name.startswith((".", "~", "/")):
        return True
    try:
        return expand(name).is_file()
    except OSError:  # a name too long for the file system
        return False


def _packaged(variant: Variant) -> Path | None:
    if variant.packaged_file is None:
        return None
    return Path(str(files("phicli").joinpath("data", variant.packaged_file)))


def _sources(variant: Variant) -> Mapping[str, str]:
    """Key of a source → what it is, for every source that this variant's facts, files and scores name."""
    references = catalog().references
    keys = [
        *variant.provenance.values(),
        *(source.source for source in variant.sources),
        *(score.source for score in variant.scores),
    ]
    return {key: references.get(key, key) for key in dict.fromkeys(keys) if key}
