"""The engine's own process: llama.cpp's server on a loopback port.

Run as a script (``python -P worker.py PARENT_PID``), never imported by ``phi``: it needs nothing but the standard
library and ``xllamacpp``. The protocol has three steps:

1. standard input: one line of JSON, the :class:`~phicli.engine.types.LoadSettings` on one level, an ``api_key``,
   ``kernels``: the path of a CPU module of ggml that is used in place of the wheel's own, or null, and
   ``kernels_limit_s``: loading it may take so many seconds, then SIGALRM ends the process;
2. standard output: one line with a JSON object (a module may print other lines): ``{"address": …, "build": …,
   "bad_template": …, "kernels": …}`` when ready, ``{"error": …, "logged": …}`` when not; ``bad_template`` is true where
   the file's own chat template was wanted and cannot be parsed; ``kernels`` names the variant of the module in use,
   null for the wheel's, and then ``kernels_failed`` says why where a module was asked for;
3. standard input stays open: its end is the order to leave, also after an error. A line on it before is the order to
   save the state first (:func:`phicli.engine.leaving.leave`): the worker answers ``{"leaves": true}``, no longer ends
   with its parent, saves, and ends.

With a command behind it (``worker.py PARENT_PID llama-server …``; Linux) it becomes that command, which then ends with
the parent too.

Standard error is the log. ``verbosity=1`` keeps it silent while all is well and shows why a load failed. A thread of
llama.cpp writes it, later than the error is known, and ends with the process: the parent gives the order to leave when
it has read the reason (``logged``: there is one).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

_PR_SET_PDEATHSIG = 1
_LOAD_FAILED = 3
_STACK_BYTES = 1 << 27
_NOTHING_FROM_THE_FILE = (1 << 31) - 1
"""One bit for each value of ``general.sampling.*`` that llama.cpp then takes for one that a person set."""
_PARSER = "_Z19common_params_parseiPPcR13common_params13llama_examplePFviS0_E"
"""llama.cpp's own parser of options, as the library exports it: the one way to override metadata."""
_COMMON_OPTIONS = 2
_FLASH_ATTENTION = {"auto": "AUTO", "on": "ENABLED", "off": "DISABLED"}


def die_with_parent(parent_pid: int) -> None:
    """Ask Linux to kill this process when ``parent_pid`` dies; elsewhere the end of stdin has to do."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:  # it died before the request was made
        os._exit(1)


def outlive_parent() -> None:
    """Take back :func:`die_with_parent`; to be called from the same thread."""
    if sys.platform.startswith("linux"):
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, 0, 0, 0, 0)


def deepen_stacks() -> None:
    """Give threads that start from now on a stack of 128 MiB, of which only what is used takes memory.

    Threads of llama.cpp have overflowed the usual 8 MiB.
    """
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    libc, attributes = ctypes.CDLL(None), ctypes.create_string_buffer(128)
    if hasattr(libc, "pthread_setattr_default_np"):  # glibc
        libc.pthread_attr_init(attributes)
        libc.pthread_attr_setstacksize(attributes, ctypes.c_size_t(_STACK_BYTES))
        libc.pthread_setattr_default_np(attributes)


def become(command: list[str]) -> None:
    """Turn this process into ``command``, whose threads get the same stacks; returns never."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_STACK)
    wanted = _STACK_BYTES if most == resource.RLIM_INFINITY else min(_STACK_BYTES, most)
    resource.setrlimit(resource.RLIMIT_STACK, (wanted, most))
    os.execv(command[0], command)  # noqa: S606 (a shell is what it must not be)


def named(name: str) -> Any:
    """Parameters under which a file is taken for one that is called ``name``, whatever its metadata says.

    The package has no property for that (``--override-kv``), so llama.cpp's parser writes into the structure behind
    the object. Where that structure is not found there, or the library does not export the parser (Windows), the
    parameters are the usual ones, and the file loads or fails as it is.
    """
    import ctypes

    import xllamacpp.xllamacpp as library

    params = library.CommonParams()
    address = id(params) + object.__basicsize__
    usual, probe = params.n_predict, 0x5EED
    params.n_predict = probe
    found = ctypes.c_int32.from_address(address).value == probe  # its first member
    params.n_predict = usual
    parse = getattr(ctypes.CDLL(library.__file__), _PARSER, None) if found else None
    if parse is not None:
        options = [b"phi", b"-m", b"model.gguf", b"--override-kv", b"general.name=str:" + name.encode()]
        arguments = (ctypes.c_char_p * len(options))(*options)
        for variable in [one for one in os.environ if one.startswith("LLAMA_")]:
            del os.environ[variable]  # the parser reads those too
        parse(len(options), arguments, ctypes.c_void_p(address), _COMMON_OPTIONS, None)
    return params


def use_kernels(path: str) -> str:
    """Compute with the CPU module at ``path`` from now on; why that failed, or empty: then the wheel's own are used.

    Its symbols have the same names as those of the engine's library, so it is opened apart from them first. One that
    this processor cannot run, or of another interface, is not registered. Windows does not export what this needs.
    """
    import ctypes

    apart = getattr(os, "RTLD_LOCAL", 0) | getattr(os, "RTLD_NOW", 0) | getattr(os, "RTLD_DEEPBIND", 0)
    try:
        import xllamacpp.xllamacpp as library

        engine, module = ctypes.CDLL(library.__file__), ctypes.CDLL(path, mode=apart or ctypes.DEFAULT_MODE)
        for function in (engine.ggml_backend_reg_by_name, engine.ggml_backend_load):
            function.restype = ctypes.c_void_p
        for function in (engine.ggml_backend_unload, engine.ggml_backend_register):
            function.restype, function.argtypes = None, [ctypes.c_void_p]
        if not module.ggml_backend_score():
            return "this processor cannot run it"
        usual = engine.ggml_backend_reg_by_name(b"CPU")
        engine.ggml_backend_unload(usual)
        if engine.ggml_backend_load(os.fsencode(path)):
            return ""
        engine.ggml_backend_register(usual)
    except OSError as error:
        return f"it cannot be opened: {why_not_opened(path, error)}"
    except (AttributeError, ImportError) as error:
        return f"a function is missing: {error}"
    return "the engine refused it: it belongs to another version"


def use_in_time(path: str, limit_s: float) -> str:
    """:func:`use_kernels`; a module that takes longer than ``limit_s`` seconds ends this process, where it can."""
    if not hasattr(signal, "setitimer"):  # Windows, which loads none
        return use_kernels(path)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        return use_kernels(path)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def say(reply: dict[str, Any]) -> None:
    """Write ``reply`` on a line of its own."""
    print("\n" + json.dumps(reply), flush=True)


def why_not_opened(path: str, error: OSError) -> str:
    """What the system says against a library, or the reason that a person can do something about."""
    with contextlib.suppress(OSError, AttributeError):  # Windows has no such question
        if os.statvfs(path).f_flag & os.ST_NOEXEC:
            return "its disk does not allow programs (noexec): set PHI_HOME to a folder on another disk"
    return str(error).removeprefix(f"{path}: ")


def parameters(config: dict[str, Any]) -> Any:
    """llama.cpp's parameters for ``config``.

    What is fixed here: slots (``n_parallel``) that are never unified with each other (a unified cache selects
    the long rope factors), nothing of the file's own sampling (requests say how they sample, and a value that makes
    no sense would stop the load), no shrinking of the context to fit, no web page, and a fresh key without which only
    ``/health`` answers.
    """
    import xllamacpp

    params = xllamacpp.CommonParams() if config["model_name"] is None else named(config["model_name"])
    params.model.path = config["model_path"]
    params.n_ctx = config["context_tokens"] * config["slots"]
    params.n_batch = params.n_ubatch = config["batch_tokens"]
    params.n_gpu_layers = config["gpu_layers"]
    params.cache_type_k = params.cache_type_v = getattr(xllamacpp.ggml_type, f"GGML_TYPE_{config['kv_type'].upper()}")
    params.no_extra_bufts = not config["repack"]
    params.warmup = config["warmup"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = config["threads"]
    params.n_parallel = config["slots"]
    params.flash_attn_type = getattr(
        xllamacpp.llama_flash_attn_type, f"LLAMA_FLASH_ATTN_TYPE_{_FLASH_ATTENTION[config['flash_attention']]}"
    )
    if config["drafts"]:
        speculate(params, config["speculation"], config["drafts"])
    params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(one["path"], one["scale"]) for one in config["adapters"]]
    params.sampling.user_sampling_config = _NOTHING_FROM_THE_FILE
    params.kv_unified = False
    params.cache_ram_mib = config["cache_ram_mib"]
    params.fit_params = False
    params.verbosity = 1
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [config["api_key"]]
    params.ui = False
    if config["slot_folder"]:
        params.slot_save_path = config["slot_folder"] + os.sep  # findings/slot_path_needs_separator.sh
    if not config["own_template"]:
        params.chat_template = "chatml"
    params.reasoning_format = xllamacpp.common_reasoning_format.COMMON_REASONING_FORMAT_NONE
    return params


def speculate(params: Any, kind: str, lengths: dict[str, int]) -> None:
    """Switch on speculation of a ``kind`` such as ``ngram-simple``; ``lengths`` are llama.cpp's, by their names."""
    import xllamacpp

    name = kind.replace("-", "_")
    kinds = xllamacpp.common_speculative_type
    params.speculative.types = [getattr(kinds, f"COMMON_SPECULATIVE_TYPE_{name.upper()}")]
    fields = getattr(params.speculative, name)  # cannot be assigned as a whole
    for field, tokens in lengths.items():
        setattr(fields, field, tokens)


def leave_when_told(code: int) -> NoReturn:
    """Wait for the end of standard input, and exit; llama.cpp's own threads do not end by themselves."""
    while sys.stdin.read(1):
        pass
    os._exit(code)


def stay(address: str, api_key: str) -> NoReturn:
    """Wait for the end of standard input, or for the order to save the state first, and exit."""
    line = sys.stdin.readline()
    if line.strip():
        import runpy

        outlive_parent()
        leave = runpy.run_path(str(Path(__file__).with_name("leaving.py")))["leave"]
        leave(json.loads(line), address, api_key, lambda: say({"leaves": True}))
    os._exit(0)


def load(config: dict[str, Any]) -> Any:
    """The server with the model that ``config`` describes; where it cannot be loaded, the process ends.

    A file whose own chat template cannot be parsed loads without it, and ``config`` says so then.
    """
    import xllamacpp

    try:
        return xllamacpp.Server(parameters(config))
    except (RuntimeError, ValueError, OverflowError, TypeError) as error:
        if config["own_template"]:
            config["own_template"] = False
            return load(config)
        say({"error": str(error), "logged": isinstance(error, RuntimeError)})
        leave_when_told(_LOAD_FAILED)


def kernels_reply(path: str | None, failed: str, version: str) -> dict[str, Any]:
    """The facts about the kernels for the parent: their variant, from the module's name, and the build with them."""
    build = f"xllamacpp {version}"
    if path is None or failed:
        return {"build": build, "kernels": None} | ({"kernels_failed": failed} if failed else {})
    variant = path.rpartition("ggml-cpu-")[2].rpartition(".")[0]
    return {"build": f"{build} ({variant} kernels)", "kernels": variant}


def main() -> None:
    """Load the model that stdin describes, say where it listens, and stay until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    die_with_parent(int(sys.argv[1]))
    if len(sys.argv) > 2:
        become(sys.argv[2:])
    import xllamacpp  # while the parent still decides what to load

    line = sys.stdin.readline()
    if not line:
        os._exit(0)
    deepen_stacks()
    config = json.loads(line)
    failed = use_in_time(config["kernels"], config["kernels_limit_s"]) if config["kernels"] else ""
    wanted = config["own_template"]
    server = load(config)
    reply = {"address": server.listening_address, "bad_template": wanted and not config["own_template"]}
    say(reply | kernels_reply(config["kernels"], failed, xllamacpp.__version__))
    stay(server.listening_address, config["api_key"])


if __name__ == "__main__":
    main()
