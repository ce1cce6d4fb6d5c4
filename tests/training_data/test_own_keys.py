"""Keys of a person's own next to messages: a check wants them named, what trains or asks takes all but misspellings."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from phicli.bench.evaluation.items import load_items
from phicli.errors import CheckFailedError
from phicli.training_data.checking import Checking, CheckOptions

MESSAGES = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]


def problems(options: CheckOptions, example: dict[str, object]) -> list[str]:
    checking = Checking(options)
    checking.read(io.BytesIO(json.dumps(example).encode() + b"\n"), "train.jsonl")
    return [one.message for one in checking.report().findings.kept() if one.severity == "error"]


@pytest.mark.parametrize(
    ("key", "any_own", "said"),
    [
        ("group", False, ["unknown key 'group': a key of your own must be named with --allow-key"]),
        ("group", True, []),
        ("message", True, ["unknown key 'message': did you mean messages?"]),
        ("tool", True, ["unknown key 'tool': did you mean tools?"]),
    ],
)
def test_keys_next_to_messages(key: str, any_own: bool, said: list[str]) -> None:
    assert problems(CheckOptions(any_own_keys=any_own), {"messages": MESSAGES, key: "x"}) == said


@pytest.mark.parametrize("any_own", [True, False])
def test_without_messages_every_key_of_another_format_names_the_way(any_own: bool) -> None:
    found = problems(CheckOptions(any_own_keys=any_own), {"prompt": "q", "completion": "a"})
    ours = [one for one in found if one.startswith("unknown key")]
    assert len(ours) == 2
    assert all(one.endswith("phi data convert turns it into messages") for one in ours)
    assert "the example has no messages" in found


def test_an_evaluation_asks_examples_with_keys_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "validation.jsonl"
    path.write_text(json.dumps({"messages": MESSAGES, "group": "a"}) + "\n")
    assert [item.item_id for item in load_items(str(path)).items] == ["line-1"]
    path.write_text(json.dumps({"messages": MESSAGES, "message": "a"}) + "\n")
    with pytest.raises(CheckFailedError, match="did you mean messages"):
        load_items(str(path))
