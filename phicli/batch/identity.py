"""What the results of a batch depend on, by names that a person knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from phicli.batch.formats import Layout
from phicli.batch.options import BatchOptions
from phicli.batch.scan import Scan

_OF_ANSWERS = ("kv_type", "flash_attention")


def identity(wanted: BatchOptions, layout: Layout, scan: Scan, model: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that the answers depend on; ``model`` says what answers.

    What decides only how long it takes is not in it: the slots, the remotes, the threads.
    """
    answers = wanted.answers
    sampling = {name: value for name, value in wanted.sampling.items() if name != "max_tokens"}
    adapters = model.get("adapters")
    return {
        "input": scan.sha256,
        "input format": layout.format,
        "model": {name: value for name, value in model.items() if name != "adapters"},
        **({"set of adapters": adapters} if adapters else {}),
        **wanted.words.to_data(),
        "form of the answers": dict(answers.form_data),
        "tools": [
            {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
            for tool in answers.tools
        ],
        "tool choice": answers.tool_choice if answers.tools else None,
        "sampling": sampling,
        "stop texts": list(wanted.options.stop),
        "reasoning limit": wanted.options.think_budget,
        "engine settings": {name: wanted.options.engine[name] for name in _OF_ANSWERS if name in wanted.options.engine},
    }
