"""Reports what the installed engine's kernels, and those in a module, were compiled for: one line of JSON.

Run as a script (``python -P probe.py [MODULE]``), never imported by ``phi``: a module that was built for another
processor can end the process. Needs nothing but the standard library and ``xllamacpp``. Prints ``{"version": …,
"features": […]}``: the version of ggml, and the instruction sets in llama.cpp's own words. With a module these are the
module's, loaded in place of the engine's own as the worker does it, and ``score`` is its own judgment of this processor
(0: it cannot run here). Where it cannot be loaded the line is ``{"error": …}``.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import sys
from typing import Any


def main() -> None:
    """Print the line."""
    import xllamacpp.xllamacpp as package

    library = ctypes.CDLL(package.__file__)
    try:
        version, score = (_text(library, "ggml_version"), None) if len(sys.argv) < 2 else _load(library, sys.argv[1])
        features = re.findall(r"(\w+) = [1-9]", _text(library, "llama_print_system_info"))
        answer: dict[str, Any] = {"version": version, "features": features, "score": score}
    except (OSError, AttributeError) as error:  # no such file, or no such function in it
        answer = {"error": str(error)}
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
    sys.stdout.flush()
    os._exit(0)  # the module's destructors are not of interest


def _load(library: Any, path: str) -> tuple[str, int]:
    """The module's version of ggml and its score; it takes the place of the engine's kernels.

    Raises:
        OSError: it cannot be loaded.
        AttributeError: it is not a module of ggml.
    """
    module = ctypes.CDLL(path, mode=os.RTLD_NOW | getattr(os, "RTLD_DEEPBIND", 0))
    version, score = _text(module, "ggml_version"), int(module.ggml_backend_score())
    if score:
        library.ggml_backend_reg_by_name.restype = library.ggml_backend_load.restype = ctypes.c_void_p
        library.ggml_backend_unload(ctypes.c_void_p(library.ggml_backend_reg_by_name(b"CPU")))
        if not library.ggml_backend_load(os.fsencode(path)):
            raise OSError("the engine refuses the module")
    return version, score


def _text(library: Any, name: str) -> str:
    function = getattr(library, name)
    function.restype = ctypes.c_char_p
    return str(function().decode())


if __name__ == "__main__":
    main()
