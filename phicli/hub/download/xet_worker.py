"""Streams one file out of Xet storage to standard output; run as ``python -m phicli.hub.download.xet_worker``.

The task is one line of JSON on standard input, which stays open: when it ends, whoever asked is gone. The reason of a
failure is the last line on standard error.
"""

from __future__ import annotations

import json
import os
import sys
import threading

_MODEST = {
    "reconstruction.download_buffer_size": 16_000_000,
    "reconstruction.download_buffer_perfile_size": 16_000_000,
    "reconstruction.download_buffer_limit": 16_000_000,
    "reconstruction.min_reconstruction_fetch_size": 16_000_000,
    "reconstruction.max_reconstruction_fetch_size": 16_000_000,
    "reconstruction.min_prefetch_buffer": 16_000_000,
}
"""Bytes: the library's own settings fill a gigabyte of memory with what the disk has not taken yet."""


def main() -> int:
    """Do the task; returns the exit status."""
    task = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    from hf_xet import XetConfig, XetFileInfo, XetSession

    group = XetSession(XetConfig().with_config(_MODEST)).new_download_stream_group(
        token_refresh_url=task["refresh_url"], token_refresh_headers=task["headers"]
    )
    for chunk in group.download_stream(XetFileInfo(task["hash"], task["size_bytes"]), start=task["start"]):
        view = memoryview(chunk)
        while view:
            view = view[os.write(1, view) :]
    return 0


def _leave_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    try:
        status = main()
    except Exception as error:  # noqa: BLE001 (the parent gets the reason, whatever it is)
        sys.stderr.write(f"{type(error).__name__}: {error}".replace("\n", " ") + "\n")
        status = 1
    sys.stderr.flush()
    os._exit(status)  # the library's threads are not waited for
