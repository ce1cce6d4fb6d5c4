"""The command line: one file a command, a signature that calls the layers below and hands the result to ``ui``.

A command is the function of its own name in the module of its own name. The tables below are all that ``phi --help``
needs; a module is imported, and its options are built, when its command runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SUMMARIES: Final = {
    "recommend": "Say which model fits this machine, how fast it will be, and which to take.",
    "list": "List the models of the family: what they are, what they need, which are here.",
    "show": "Show everything about a model, or about a GGUF file.",
    "pull": "Download a model into the shared cache and verify it.",
    "chat": "Ask a model once, or talk to it when there is no prompt and this is a terminal.",
    "bench": "Measure how fast models or an endpoint run, and compare.",
    "eval": "Ask models questions whose answers a program can check, and count the right ones.",
    "autotune": "Find the fastest engine settings for a model on this machine; phi chat uses them from then on.",
    "runs": "List, show, export and remove what was measured.",
    "rm": "Remove a model from the cache.",
    "cache": "See and check what is on disk; bring in files that are already there.",
    "config": "Show and change settings: your own defaults for the options of all commands.",
}
"""Command to the first line of its help, in the order in which they are listed."""

ALIASES: Final = {"run": "chat", "ls": "list", "info": "show"}
"""What people type too; not listed."""

CACHE_SUMMARIES: Final = {
    "list": "List the files of models on disk: size, last use, verified or not.",
    "verify": "Hash files again and compare with what was promised.",
    "prune": "Remove partial downloads and superseded revisions.",
    "dir": "Print the folder of the cache.",
    "import": "Use a GGUF file where it lies, or take in an archive made by export.",
    "scan": "Find the models of Ollama and LM Studio and use them in place.",
    "export": "Write a model into an archive that a machine without a network can import.",
}
"""The same for ``phi cache``."""

RUNS_SUMMARIES: Final = {
    "list": "List the saved runs.",
    "show": "Show everything about one run.",
    "export": "Write runs into a file, or to standard output.",
    "rm": "Remove runs from the history.",
}
"""The same for ``phi runs``."""

CONFIG_SUMMARIES: Final = {
    "list": "List the settings that are set, their values, and where these come from.",
    "get": "Print the current value of a setting.",
    "set": "Give a setting a value.",
    "unset": "Remove a setting from the settings file.",
    "edit": "Open the settings file in an editor, and check it afterwards.",
    "path": "Print the path of the settings file.",
}
"""The same for ``phi config``."""

GROUPS: Final[Mapping[str, Mapping[str, str]]] = {
    "runs": RUNS_SUMMARIES,
    "cache": CACHE_SUMMARIES,
    "config": CONFIG_SUMMARIES,
}
"""The commands that have commands of their own, and those."""

GROUP_ALIASES: Final = {"ls": "list"}
"""What people type too, in every group."""

SHARED_SETTINGS: Final = {
    "model": "Model to use when none is named.",
    "threads": "Threads [default: the physical cores].",
    "context": "Context size in tokens [default: each command decides].",
    "kv_type": "Type of the KV cache: f16, q8_0 or q4_0 [default: each command decides].",
    "gpu_layers": "Layers on the GPU [default: the engine decides].",
}
"""Settings without a command before them, and what they do: they hold for every command that has the option."""

WITHOUT_SETTINGS: Final = ("config",)
"""Groups whose commands take nothing from the settings, so that they work when the file is broken."""
