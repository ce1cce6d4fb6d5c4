"""Opens a model of a remote for a conversation, with everything that a person sees of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from phicli.chat.remote import OpenRemote, RemotePlan
from phicli.commands.remotes.notices import say_of_remote
from phicli.plan.sampling import sampling_for
from phicli.remotes.opening import open_remote

if TYPE_CHECKING:
    from phicli.chat.remote import NamedRemote
    from phicli.commands.conversation_options import Conversation
    from phicli.ui.terminal import Terminal


@contextlib.contextmanager
def open_remotely(model: NamedRemote, wanted: Conversation, terminal: Terminal) -> Iterator[OpenRemote]:
    """The model; nothing is sent before the first question.

    Where the text goes is said at the first use of a remote, also with ``--quiet``: else it would be sent in silence.

    Raises:
        PhiError: the remote has no key, or its address cannot be used.
    """
    say_of_remote(terminal, model.named, quiet=wanted.quiet)
    with open_remote(model.named) as remote:
        options = wanted.options
        plan = RemotePlan(
            model, sampling_for(remote.usual, options), remote.usual, options.stop, options.think_budget,
            options.system or None,
        )  # fmt: skip
        if wanted.verbose:
            from phicli.ui.remote_stats import print_remote_start

            print_remote_start(terminal, plan)
        yield OpenRemote(remote, plan)
