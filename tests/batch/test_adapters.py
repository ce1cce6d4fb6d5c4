"""Adapters of a batch: results name them, and those of others are not continued."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from phicli.adapters.adding import add
from phicli.batch.identity import identity
from phicli.batch.target import LocalTarget
from phicli.engine.types import Adapter
from phicli.jobs.journal import differences
from phicli.plan.locate import locate
from tests.support.lora import write_peft


def test_results_name_the_adapters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "home"))
    known = add(write_peft(tmp_path / "keys")).adapter.path

    def name(*adapters: Adapter) -> str:
        wanted: Any = SimpleNamespace(options=SimpleNamespace(adapters=adapters))
        return LocalTarget(locate("tiny-phi"), wanted).name

    assert name() == "tiny-phi:f16"
    assert name(Adapter(known)) == "tiny-phi:f16+keys"
    assert name(Adapter(known, 0.5), Adapter(tmp_path / "other.gguf")) == "tiny-phi:f16+keys:0.5+other.gguf"


def test_other_adapters_are_another_job_and_the_message_says_so() -> None:
    def about(**model: str) -> dict[str, Any]:
        wanted: Any = SimpleNamespace(
            answers=SimpleNamespace(form_data={}, tools=(), tool_choice="auto"), sampling={},
            words=SimpleNamespace(to_data=dict), options=SimpleNamespace(stop=(), think_budget=None, engine={}),
        )  # fmt: skip
        layout: Any = SimpleNamespace(format="lines")
        scan: Any = SimpleNamespace(sha256="1")
        return identity(wanted, layout, scan, model)

    bare, adapted = about(sha256="a"), about(sha256="a", adapters="x")
    assert differences(bare, about(sha256="a")) == ()
    assert differences(bare, adapted) == differences(adapted, bare) == ("set of adapters",)
    assert differences(adapted, about(sha256="b", adapters="x")) == ("model",)
