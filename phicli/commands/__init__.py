"""The command line: one file per command, a signature that calls the layers below and hands the result to ``ui``.

A command is the function of its own name in the module of its own name. The tables below are all that ``phi --help``
needs; a module is imported, and its options are built, when its command runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SUMMARIES: Final = {
    "recommend": "Recommend models that fit this machine, with their memory use and expected speed.",
    "list": "List the Phi models: size, strengths, and which are installed.",
    "show": "Show the details of a model or a GGUF file.",
    "pull": "Download a model into the shared cache and verify it.",
    "chat": "Ask a model one question, or start a conversation when no prompt is given.",
    "batch": "Ask a model every line of a file, and write an answer for each.",
    "serve": "Answer OpenAI clients over HTTP with the models on this machine, and keep models loaded.",
    "ps": "List the models that phi serve keeps loaded.",
    "stop": "Unload models, or end phi serve.",
    "bench": "Measure and compare the speed of models or of an endpoint.",
    "eval": "Measure the accuracy of models on a set of questions.",
    "autotune": "Find the fastest engine settings for a model, and save them for phi chat.",
    "data": "Check, split and convert training data for fine-tuning.",
    "finetune": "Fine-tune a model with LoRA on your own examples: training data in, adapter out.",
    "sessions": "List, show, search, export, import, rename and remove saved conversations.",
    "remotes": "Add, list, test and remove remotes: models on other machines, behind OpenAI-compatible endpoints.",
    "templates": "List, show and edit templates: prompts with a name, for phi chat --template.",
    "runs": "List, show, export and remove saved runs.",
    "rm": "Remove a model from the cache.",
    "adapters": "Add, list, show, merge and remove adapters (LoRA): what fine-tuning makes.",
    "cache": "Manage model files on disk: list, verify, remove, import and export them.",
    "engine": "Build, list, choose and remove engine kernels for this processor.",
    "config": "Show and change settings: your own defaults for command options.",
    "doctor": "Check this installation and machine, and name a command that fixes each problem.",
    "help": "Show the help of a command.",
}
"""Command to the first line of its help, in the order in which they are listed."""

ALIASES: Final = {"run": "chat", "ls": "list", "info": "show"}
"""What people type too; not listed."""

CACHE_SUMMARIES: Final = {
    "list": "List the model files on disk: size, last use, and whether they are verified.",
    "verify": "Hash model files and compare them with the expected hashes.",
    "prune": "Remove partial downloads and superseded revisions.",
    "dir": "Print the path of the cache folder.",
    "import": "Register a GGUF file in place, or import an archive made by phi cache export.",
    "scan": "Find the models of Ollama and LM Studio and register them in place.",
    "export": "Write a model to an archive, to import it on a machine without network access.",
}
"""The same for ``phi cache``."""

RUNS_SUMMARIES: Final = {
    "list": "List the saved runs.",
    "show": "Show the details of one run.",
    "export": "Write runs to a file or to standard output.",
    "rm": "Remove saved runs.",
}
"""The same for ``phi runs``."""

SESSIONS_SUMMARIES: Final = {
    "list": "List the saved sessions.",
    "show": "Show the turns of a session, or the command that makes an answer again.",
    "search": "Search questions, attached files and answers of all sessions for a text.",
    "export": "Write a session to a file or to standard output: Markdown, JSON, or OpenAI messages.",
    "import": "Save a conversation from a file as a new session: OpenAI messages, or a JSON export.",
    "rename": "Give a session another name.",
    "rm": "Remove sessions, and the KV caches that were saved for them.",
}
"""The same for ``phi sessions``."""

TEMPLATES_SUMMARIES: Final = {
    "list": "List the templates: the built-in ones and your own.",
    "show": "Print a template.",
    "edit": "Open a template in an editor, check it and save it as your own.",
}
"""The same for ``phi templates``."""

REMOTES_SUMMARIES: Final = {
    "add": "Save the address of an OpenAI-compatible endpoint under a name.",
    "list": "List the remotes with their addresses and where their keys are.",
    "test": "Test a remote: reach it, list its models, and ask one of them a short question.",
    "rm": "Remove remotes. Their keys and the models there are not touched.",
}
"""The same for ``phi remotes``."""

DATA_SUMMARIES: Final = {
    "check": "Check training data line by line; exit code 9 if it must not be used.",
    "split": "Split training data into a training and a validation file.",
    "convert": "Convert training data from and to CSV, Alpaca, ShareGPT, OpenAI and other formats.",
}
"""The same for ``phi data``."""

ENGINE_SUMMARIES: Final = {
    "build": "Compile, test and save engine kernels for this processor.",
    "list": "List the kernels of the wheel and the kernels that were built on this machine.",
    "rm": "Remove kernels that were built here.",
    "use": "Choose which kernels the engine uses from now on.",
}
"""The same for ``phi engine``."""

CONFIG_SUMMARIES: Final = {
    "list": "List the current settings with their values and sources.",
    "get": "Print the current value of a setting.",
    "set": "Set the value of a setting.",
    "unset": "Remove a setting from the settings file.",
    "edit": "Open the settings file in an editor, then check it.",
    "path": "Print the path of the settings file.",
}
"""The same for ``phi config``."""

ADAPTERS_SUMMARIES: Final = {
    "list": "List your adapters (LoRA): the model each was made for, size, and source.",
    "add": "Give an adapter (LoRA) a name. A GGUF file stays where it is; a PEFT folder is converted.",
    "show": "Show an adapter: its ranks, the matrices it changes, and the models it fits.",
    "merge": "Write a model with an adapter in its weights to a new GGUF file.",
    "rm": "Remove adapters: the name, and the file where phi converted it. Other files stay.",
}
"""The same for ``phi adapters``."""

GROUPS: Final[Mapping[str, Mapping[str, str]]] = {
    "data": DATA_SUMMARIES,
    "sessions": SESSIONS_SUMMARIES,
    "remotes": REMOTES_SUMMARIES,
    "templates": TEMPLATES_SUMMARIES,
    "runs": RUNS_SUMMARIES,
    "adapters": ADAPTERS_SUMMARIES,
    "cache": CACHE_SUMMARIES,
    "engine": ENGINE_SUMMARIES,
    "config": CONFIG_SUMMARIES,
}
"""The commands that have commands of their own, and those."""

GROUP_ALIASES: Final = {"ls": "list"}
"""What people type too, in every group."""

SHARED_SETTINGS: Final = {
    "model": "Model to use when none is given.",
    "threads": "Number of threads [default: number of physical cores].",
    "context": "Context size in tokens [default: depends on the command].",
    "kv_type": "KV cache type: f16, q8_0 or q4_0 [default: depends on the command].",
    "gpu_layers": "Number of layers on the GPU [default: chosen by the engine].",
    "engine": "Engine that runs the model [default: depends on the command].",
    "llama_server": "Path to the program of --llama-server [default: the one on PATH].",
}
"""Settings without a command before them, and what they do: they hold for every command that has the option."""

WITHOUT_SETTINGS: Final = ("config", "data", "doctor", "engine", "help", "ps", "remotes", "stop", "templates")
"""Groups and commands that take nothing from the settings, so that they work when the file is broken. ``engine`` is
among them because a setting has its name."""

WITH_SETTINGS: Final = tuple(
    f"{name}.{inner}".rstrip(".")
    for name in SUMMARIES
    if name not in WITHOUT_SETTINGS
    for inner in GROUPS.get(name, ("",))
)
"""All other commands, in order, by what their settings begin with: ``chat``, ``cache.verify``."""
