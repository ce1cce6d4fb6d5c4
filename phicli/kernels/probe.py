"""Reports what the installed engine's kernels, and those in a module, were compiled for: one line of JSON.

Run as a script (``python -P probe.py [WORKER MODULE]``), never imported by ``phi``: a module that was built for another
processor can end the process. Needs nothing but the standard library and ``xllamacpp``. Prints ``{"version": …,
"features": […]}``: the version of ggml, and the instruction sets in llama.cpp's own words. With a module these are the
module's, loaded in place of the engine's own by the worker's program (``phicli/engine/worker.py``). Where it cannot
be loaded the line is ``{"error": …}``.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import runpy
import sys
from typing import Any


def main() -> None:
    """Print the line."""
    import xllamacpp.xllamacpp as package

    engine = ctypes.CDLL(package.__file__)
    try:
        answer = _facts(engine, *sys.argv[1:])
    except AttributeError as error:
        answer = {"error": f"a function is missing: {error}"}
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
    sys.stdout.flush()
    os._exit(0)  # the module's destructors are not of interest


def _facts(engine: Any, worker: str = "", module: str = "") -> dict[str, Any]:
    if module and (failed := runpy.run_path(worker)["use_kernels"](module)):
        return {"error": failed}
    version = _text(ctypes.CDLL(module) if module else engine, "ggml_version")
    return {"version": version, "features": re.findall(r"(\w+) = [1-9]", _text(engine, "llama_print_system_info"))}


def _text(library: Any, name: str) -> str:
    function = getattr(library, name)
    function.restype = ctypes.c_char_p
    return str(function().decode())


if __name__ == "__main__":
    main()
