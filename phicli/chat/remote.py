"""A model of a remote as a conversation has it: its name, how it answers, and what it does not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from phicli.answering.types import NO_ENDING, Ending
from phicli.chat_format.types import Message
from phicli.errors import UsageError
from phicli.remotes.types import RemoteModelName

if TYPE_CHECKING:
    from phicli.catalog.types import Variant
    from phicli.engine.abilities import Ability
    from phicli.engine.types import Sampling
    from phicli.remotes.body import Body
    from phicli.remotes.model import RemoteModel

REMOTE: Final = "remote"
"""What stands in the place of the engine's name."""
_NOT_THERE: Final = ("unreachable", "tls", "key")
"""Kinds of failures with which no answer will come either; an endpoint without a list of models may answer."""


@dataclass(frozen=True, slots=True)
class NamedRemote:
    """A model of a remote by its name (:class:`~phicli.chat.opened.Named`)."""

    named: RemoteModelName

    @property
    def name(self) -> str:
        """``NAME/MODEL``."""
        return self.named.reference

    @property
    def reference(self) -> str:
        """The same."""
        return self.named.reference

    @property
    def variant(self) -> Variant | None:
        """The variant of the catalog that the name means; None where it means none."""
        from phicli.remotes.listing import variant_meant

        return variant_meant(self.named.model)

    @property
    def quant(self) -> str | None:
        """Not known: the remote decides."""
        return None


@dataclass(frozen=True, slots=True)
class RemotePlan:
    """How a model of a remote answers (:class:`~phicli.chat.opened.AnswerPlan`); ``usual`` is that of the model."""

    model: NamedRemote
    sampling: Sampling
    usual: Sampling
    stop_texts: tuple[str, ...] = ()
    think_budget: int | None = None
    system: str | None = None

    def settings_data(self) -> Mapping[str, Any]:
        """What is sent; of the sampling that may be more than the product takes."""
        from phicli.remotes.body import sampling_beside

        sampling, remote = self.sampling, self.model.named.remote
        return {
            "remote": {"name": remote.name, "url": remote.url, "kind": remote.kind},
            "system": self.system,
            "temperature": sampling.temperature,
            "seed": sampling.seed,
            "max_tokens": sampling.max_tokens,
            **sampling_beside(sampling, self.usual),
            "stop": list(self.stop_texts),
            "think_budget": self.think_budget,
        }


@dataclass(frozen=True, slots=True)
class OpenRemote:
    """A model of a remote that is open (:class:`~phicli.chat.opened.Opened`)."""

    model: RemoteModel
    plan: RemotePlan

    @property
    def engine(self) -> str:
        """That it is another machine's."""
        return REMOTE

    @property
    def build(self) -> str:
        """The product and its address."""
        remote = self.plan.model.named.remote
        return f"{remote.kind} at {remote.url}"

    @property
    def attached(self) -> bool:
        """No engine of this machine has to do with it."""
        return False

    @property
    def counts_exactly(self) -> bool:
        """The vocabulary is not here."""
        return False

    @property
    def context_tokens(self) -> int | None:
        """The context, if the remote was asked for it already."""
        return self.model.shared.context_tokens

    @property
    def process_id(self) -> int | None:
        """None is on this machine."""
        return None

    @property
    def loading(self) -> bool:
        """What the remote loads is its own affair."""
        return False

    @property
    def state_note(self) -> str:
        """Nothing is computed here that could be kept."""
        return ""

    def wait_ready(self) -> None:
        """Return when the remote is there. What else is wrong with it, the first answer raises.

        Raises:
            EndpointError: it cannot be reached, or refuses the key.
        """
        from phicli.engine.endpoint.failures import EndpointError

        try:
            self.model.look()
        except EndpointError as error:
            if error.kind in _NOT_THERE:
                raise

    @property
    def unlisted_note(self) -> str:
        """That the remote does not list this model, which may answer anyway; empty where that is not known."""
        from phicli.remotes.listing import close_name, is_listed

        named, listed = self.model.named, self.model.listed
        if not listed or is_listed(named.model, listed):
            return ""
        return f"{named.remote.name} does not list the model {named.model}; {close_name(named, listed)}"

    def require(self, ability: Ability) -> None:
        """Return unless the remote cannot report what was asked for; the form of an answer is checked here anyway.

        Raises:
            UsageError: it reports no probabilities of tokens.
        """
        from phicli.engine.abilities import Ability
        from phicli.remotes.kinds import kind_of

        kind = kind_of(self.plan.model.named.remote)
        if ability is Ability.SCORES and not kind.logprobs:
            raise UsageError(
                f"{kind.title} cannot report the probabilities of tokens", "leave out --logprobs, or use another model"
            )

    def ignored(self, sampling: Sampling) -> Sequence[str]:
        """What the remote ignores of ``sampling``, a sentence each."""
        ignored = self.request((Message("user", ""),), sampling=sampling).ignored
        return [f"{self.plan.model.named.remote.name} ignores {what}" for what in ignored]

    def request(
        self, messages: Sequence[Message], *, sampling: Sampling, tools: str | None = None,
        ending: Ending = NO_ENDING,
    ) -> Body:  # fmt: skip
        """The request that would be sent, and what the remote would ignore of it; nothing is sent.

        Raises:
            UsageError: the remote cannot do what is asked.
        """
        return self.model.body(messages, tools=tools, sampling=sampling, ending=ending)

    def keep_state(self, session_id: str) -> None:
        """Nothing: the remote keeps its own state."""
