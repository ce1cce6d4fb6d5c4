"""Lists what the engine's library was built for, and the devices that it sees: two lines of JSON.

Run as a script (``python -P engine_devices.py [WORKER MODULE]``), never imported by ``phi``: loading a graphics driver
can crash or hang, which must not happen in the caller's own process. Needs nothing but the standard library and
``xllamacpp``. With the path of the worker's program (``phicli/engine/worker.py``) and of a CPU module, the features are
those of the module, if the worker can load it.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import sys


def main() -> None:
    """Write the features of the build, then the devices.

    The features are an object, such as ``{"features": ["AVX2", "REPACK"]}``. The devices are a list: name, description,
    kind (``CPU``, ``GPU``, ``IGPU``, ``ACCEL``), device_id, sizes in bytes.
    """
    os.environ["GGML_NO_BACKTRACE"] = "1"  # an abort would start a debugger
    import xllamacpp

    if len(sys.argv) > 2:
        runpy.run_path(sys.argv[1])["use_kernels"](sys.argv[2])
    features = re.findall(r"(\w+) = [1-9]", xllamacpp.get_system_info())
    sys.stdout.write("\n" + json.dumps({"features": features}) + "\n")  # first: listing the devices may crash
    sys.stdout.flush()
    devices = [
        {
            "name": str(device["name"]),
            "description": str(device["description"]),
            "kind": str(getattr(device["type"], "name", "")).rpartition("_")[2],
            "device_id": str(device.get("device_id") or ""),
            "free_bytes": int(device["memory_free"]),
            "total_bytes": int(device["memory_total"]),
        }
        for device in xllamacpp.get_device_info()
    ]
    sys.stdout.write("\n" + json.dumps(devices) + "\n")


if __name__ == "__main__":
    main()
