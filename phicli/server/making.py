"""From a request to the events of an answer."""

from __future__ import annotations

from dataclasses import replace

from phicli.answering.types import Answering, Ending
from phicli.server.loading import Loaded
from phicli.server.types import Asked


def answering(loaded: Loaded, asked: Asked, index: int = 0) -> Answering:
    """The answer number ``index`` to ``asked``; nothing happens before its first event is asked for.

    Raises:
        UsageError: the model cannot do what is asked for.
    """
    sampling = replace(loaded.plan.sampling, **asked.sampling)
    if sampling.seed is not None:
        sampling = replace(sampling, seed=sampling.seed + index)
    ending = Ending(stop_texts=asked.stop, brake=True, think_tokens=asked.think_tokens)
    return loaded.model.answer(asked.messages, sampling=sampling, ending=ending)
