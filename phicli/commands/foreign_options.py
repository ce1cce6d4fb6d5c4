"""Options as other programs call them, and what a command of ``phi`` has in their place."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

_OTHER_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "--context": (
        "--ctx", "--ctx-size", "--num-ctx", "--n-ctx", "--context-length", "--context-size", "--max-model-len",
    ),
    "--max-tokens": ("--n-predict", "--num-predict", "--predict", "--max-new-tokens", "--max-completion-tokens"),
    "--system": ("--system-prompt", "--sys", "-sys", "--instructions"),
    "--gpu-layers": ("--n-gpu-layers", "--num-gpu", "--ngl", "-ngl"),
    "--adapter": ("--lora", "--lora-path", "--lora-modules", "--lora-scaled"),
    "--kv-type": ("--cache-type-k", "--cache-type-v", "--kv-cache-dtype", "-ctk", "-ctv"),
    "--flash-attention": ("--flash-attn", "-fa"),
    "--threads": ("--num-threads", "--n-threads", "--num-thread"),
    "--parallel": ("--concurrency", "--max-concurrency", "--workers", "--np", "-np"),
    "--grammar": ("--grammar-file",),
    "--schema": ("--json-schema", "--json-schema-file", "--response-format"),
    "--json-object": ("--format", "--json-mode"),
    "--json": ("--format", "--output-format"),
    "--learning-rate": ("--lr",),
    "--epochs": ("--num-epochs", "--num-train-epochs", "--n-epochs"),
    "--batch-size": ("--per-device-train-batch-size", "--train-batch-size"),
    "--rank": ("--lora-r", "--lora-rank", "-r"),
    "--alpha": ("--lora-alpha",),
    "--dropout": ("--lora-dropout",),
    "--warmup": ("--warmup-ratio",),
    "--checkpointing": ("--gradient-checkpointing",),
    "--qlora": ("--load-in-4bit",),
    "--out": ("--output-dir", "--output-file", "--dest"),
    "--split": ("--validation-split", "--val-split", "--test-size"),
    "--validation": ("--split", "--validation-split", "--val-split", "--test-size", "--eval-data", "--valid", "--val"),
    "--as": ("--name", "--adapter-name"),
    "--force": ("--overwrite",),
    "--restart": ("--overwrite", "--force"),
    "--set": ("--dataset", "--questions", "--tasks", "--data"),
    "--user": ("--question", "--input-column", "--prompt-column"),
    "--assistant": ("--answer", "--output-column", "--completion-column"),
}  # fmt: skip
"""An option of ``phi``, and how other programs, and other commands of ``phi``, call it."""

_ARGUMENTS: Final = frozenset(
    {
        "-m", "--model", "--base-model", "--model-name-or-path", "-i", "--in", "--input", "--input-file", "-f",
        "--file", "--data", "--dataset", "--train", "--train-file", "--training-data", "--url", "--base-url", "--name",
    }
)  # fmt: skip
"""Options of other programs for what is an argument without an option here."""

_WITHOUT: Final[Mapping[tuple[str, str], str]] = {
    ("eval", "--temperature"): "leave it out: phi eval asks at temperature 0",
    ("eval", "--temp"): "leave it out: phi eval asks at temperature 0",
    **{
        (command, option): f"write the table to a file: phi {command} … --markdown > FILE"
        for command in ("eval", "bench")
        for option in ("-o", "--out", "--output")
    },
    **{
        ("data split", option): "name both files: --training-output FILE --validation-output FILE"
        for option in ("-o", "--out", "--output", "--output-dir")
    },
    ("batch", "--limit"): "to try the first lines: head -n 5 IN | phi batch - --input-format csv --out try.csv",
    **{
        ("remotes add", option): "save the key in a variable, and name that: --key-env VARIABLE"
        for option in ("--api-key", "--key")
    },
}
"""What to do where the command has nothing in its place."""


def in_its_place(option: str, known: Collection[str]) -> str:
    """The option of ``known`` that means what ``option`` means elsewhere; empty where there is none."""
    typed = option if not option.startswith("--") else option.replace("_", "-").lower()
    if typed in known:
        return typed
    return next((name for name, others in _OTHER_NAMES.items() if typed in others and name in known), "")


def what_instead(command: str, option: str, words: Sequence[str]) -> str:
    """What to do instead of an ``option`` that ``command`` has nothing for; empty where that is not known."""
    if option == "--remote":
        return f"name a model of a remote as REMOTE/MODEL, e.g. phi {command} {_remote(words)}/MODEL"
    return _WITHOUT.get((command, option), "")


def is_an_argument(option: str) -> bool:
    """Whether other programs have an ``option`` for what ``phi`` takes without one."""
    return option in _ARGUMENTS


def typed_foreign(words: Sequence[str]) -> str:
    """The first of ``words`` with one dash that only other programs have, such as ``-ngl``; empty where none is."""
    short = {name for others in _OTHER_NAMES.values() for name in others if len(name) > 2 and name[1] != "-"}
    return next((word for word in words if word in short), "")


def _remote(words: Sequence[str]) -> str:
    place = next((place for place, word in enumerate(words) if word.partition("=")[0] == "--remote"), None)
    if place is None:
        return "REMOTE"
    value = words[place].partition("=")[2] or "".join(words[place + 1 : place + 2])
    return value if value and not value.startswith("-") else "REMOTE"
