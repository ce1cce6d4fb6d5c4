"""What a conversation needs of a model that is open, wherever it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from phicli.answering.opening import OpenModel
    from phicli.answering.types import Model
    from phicli.catalog.types import Variant
    from phicli.engine.abilities import Ability
    from phicli.engine.types import Sampling


class Named(Protocol):
    """A model by its name: a file on this machine, or a model of a remote."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def reference(self) -> str:
        """What means the same model from any folder."""

    @property
    def variant(self) -> Variant | None:
        """The variant of the catalog that it is; None for another model."""

    @property
    def quant(self) -> str | None:
        """The quantization of its weights; None where it is unknown."""


class AnswerPlan(Protocol):
    """How a model answers where nothing else is said."""

    @property
    def model(self) -> Named:
        """The model."""

    @property
    def sampling(self) -> Sampling:
        """How tokens are chosen."""

    @property
    def stop_texts(self) -> tuple[str, ...]:
        """The texts that end an answer."""

    @property
    def think_budget(self) -> int | None:
        """After how many tokens reasoning is ended; None for no limit."""

    @property
    def system(self) -> str | None:
        """The system message that a conversation begins with; None for none."""

    def settings_data(self) -> Mapping[str, Any]:
        """The settings as ``--json`` shows them: with these the answer can be had again."""


class Opened(Protocol):
    """A model that is open: one of this machine is an :class:`~phicli.answering.opening.OpenModel`."""

    @property
    def model(self) -> Model:
        """What answers."""

    @property
    def plan(self) -> AnswerPlan:
        """How it answers."""

    @property
    def engine(self) -> str:
        """The name of what computes the answers."""

    @property
    def build(self) -> str:
        """That and its version; empty until it is known."""

    @property
    def attached(self) -> bool:
        """Whether the engine belongs to the server of this user."""

    @property
    def counts_exactly(self) -> bool:
        """Whether tokens are counted; otherwise they are estimated."""

    @property
    def context_tokens(self) -> int | None:
        """The most tokens of a conversation as far as that is known now; nobody is asked."""

    @property
    def process_id(self) -> int | None:
        """The process on this machine that computes; None where there is none."""

    @property
    def loading(self) -> bool:
        """Whether the model is not loaded yet."""

    @property
    def state_note(self) -> str:
        """What became of the KV state of the session, one line; empty where nothing was to be done."""

    def wait_ready(self) -> None:
        """Return when the model can answer.

        Raises:
            PhiError: it cannot.
        """

    def require(self, ability: Ability) -> None:
        """Return if answers can be made with ``ability``.

        Raises:
            UsageError: they cannot; the hint says with what they can.
        """

    def ignored(self, sampling: Sampling) -> Sequence[str]:
        """What is ignored of ``sampling``, a sentence each."""

    def keep_state(self, session_id: str) -> None:
        """Have the KV state saved for the session, if there is one; :attr:`state_note` says why it is not."""


def here(opened: Opened) -> OpenModel:
    """``opened``, which runs on this machine."""
    from phicli.answering.opening import OpenModel

    assert isinstance(opened, OpenModel)  # noqa: S101 (what runs elsewhere is asked for before)
    return opened
