"""What is remembered about an answer: with it the answer can be made again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from phicli.answering.types import Answer, Ending
from phicli.catalog.resolve import resolve
from phicli.chat.dialogue import Dialogue, Turn
from phicli.chat.facts import facts_of
from phicli.chat.store.sessions import Sessions
from phicli.engine.types import Sampling
from phicli.gguf_file.header import read_header
from phicli.plan.chat_options import ChatOptions
from phicli.plan.load import Use, plan_load
from phicli.plan.locate import LocatedModel
from tests.fakes.scripted_model import Lab, echo
from tests.support.files import TINY_PHI

BUILD = "xllamacpp 1 (zen4 kernels)"


def facts(answer: Answer) -> dict[str, Any]:
    model = LocatedModel("phi-4-mini", "phi-4-mini:q4_k_m", Path("m.gguf"), resolve("phi-4-mini").variant, "Q4_K_M")
    plan = plan_load(model, read_header(TINY_PHI), ChatOptions(), Use.CONVERSATION, memory=None, cores=1)
    ending = Ending(("END",), think_tokens=9)
    return facts_of(answer, Sampling(temperature=0.7, seed=42), plan, ending, engine="xllamacpp", build=BUILD)


def test_what_made_an_answer_is_saved_with_it(tmp_path: Path) -> None:
    answer, _ = Lab(lambda _: "<think>hm</think>4<|end|>", reasoning=True).ask("2+2?")
    made = facts(answer)
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    assert (made["model"], made["quant"], made["engine"]) == ("phi-4-mini:q4_k_m", "Q4_K_M", "xllamacpp")
    assert (made["build"], made["seed"], made["sampling"]["temperature"]) == (BUILD, 42, 0.7)
    assert (made["reasoning"], made["finish_reason"], made["stopped_by"]) == ("hm", "stop", None)
    assert made["usage"]["completion_tokens"] == answer.usage.completion_tokens
    assert made["context"] == {"size_tokens": answer.context_tokens, "used_tokens": answer.used_tokens}
    assert made["settings"]["prompt_format"] == "phi-4-mini"
    assert (made["settings"]["stop"], made["settings"]["think_budget"]) == (["END"], 9)  # as they were for this answer
    assert made["usage"]["reasoning_tokens"] == len("hm")
    made_at = datetime.fromisoformat(made["made_at"]).utcoffset()
    assert made_at is not None
    assert not made_at
    saved = Sessions(tmp_path / "s").create("a", "m", Dialogue(None, (Turn("2+2?", (), (answer.message,), made),)))
    assert Sessions(tmp_path / "s").get("a") == saved


def test_an_engine_that_reports_no_times() -> None:
    answer, _ = Lab(echo).ask("hello")
    made = facts(replace(answer, timings=None, ttft_ms=None))
    assert (made["ttft_ms"], made["prompt_tps"], made["decode_tps"]) == (None, None, None)
