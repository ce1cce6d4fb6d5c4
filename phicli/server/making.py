"""From a request to the server to the events of an answer."""

from __future__ import annotations

from dataclasses import replace

from phicli.answering.asked import Asked
from phicli.answering.asking import Asking, NoToolTrainingError
from phicli.answering.types import Answering
from phicli.server.adapters import scales_for
from phicli.server.errors import RequestError
from phicli.server.loading import Loaded
from phicli.server.scoring import ScoredAnswering


def answering(loaded: Loaded, asked: Asked, index: int = 0) -> Answering:
    """The answer number ``index`` to ``asked``; see :meth:`phicli.answering.asking.Asking.answering`.

    Raises:
        RequestError: the model cannot answer such a request.
    """
    if asked.answers > loaded.slots:
        raise RequestError(
            f"n is {asked.answers}, but {asked.model} gives at most {loaded.slots} answers at a time",
            f"ask for at most {loaded.slots}, or start phi serve with a larger --parallel",
            param="n",
        )
    if loaded.adapters:
        scales = scales_for(asked.model, loaded.adapters)
        asked = replace(asked, sampling={**asked.sampling, "adapter_scales": scales})
    try:
        made = Asking(loaded.model, loaded.plan).answering(asked, index)
    except NoToolTrainingError as error:
        raise RequestError(error.message, error.hint, param="tools") from None
    return ScoredAnswering(made) if asked.streamed and "likeliest" in asked.sampling else made
