"""Reads a file of the hub from any byte on: over HTTP, or from Xet storage in a separate process."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, Final

from phicli.errors import NetworkError
from phicli.hub.download.failures import TransientError, endpoint, of_answer, shown_endpoint, translated
from phicli.hub.download.remote import Location
from phicli.hub.types import RemoteFile, RemoteRepo

if TYPE_CHECKING:
    from httpx2 import Response

Stream = Callable[[RemoteRepo, RemoteFile, Location, int], Iterator[bytes]]
"""Yields the bytes of a file from an offset on, in order; ends early when the connection does."""

_CHUNK_BYTES: Final = 1 << 20
_CONNECT_S: Final = 15.0
_NO_SUCH_RANGE: Final = 416


def stall_s() -> float:
    """Seconds without a byte after which a connection counts as dead: ``HF_HUB_DOWNLOAD_TIMEOUT``, else 30."""
    given = os.environ.get("HF_HUB_DOWNLOAD_TIMEOUT", "")
    return float(given) if given.isdecimal() and int(given) else 30.0


def can_use_xet(location: Location) -> bool:
    """Whether the file is in Xet storage, the library for it is here, and nobody switched it off."""
    from importlib.util import find_spec

    from huggingface_hub import constants

    switched_off: bool = constants.HF_HUB_DISABLE_XET
    return location.xet_hash is not None and not switched_off and find_spec("hf_xet") is not None


def http_stream(repo: RemoteRepo, file: RemoteFile, location: Location, start: int) -> Iterator[bytes]:
    """The bytes of ``file`` from ``start`` on, over HTTP. The token goes to the hub only, not to where it sends us.

    A server that does not send the part that it was asked for is asked for the whole file, whose beginning is dropped.

    Raises:
        TransientError: the connection failed or stalled; another attempt may help.
        NetworkError: the hub refuses, or sends something else than the file.
    """
    with translated(repo.repo, repo.revision):
        if start:
            with _answer(location, start) as response:
                skip = _skip(response, file, start)
                if skip is not None:
                    yield from _behind(response, skip)
                    return
        with _answer(location, 0) as response:
            if _skip(response, file, 0) is None:
                raise TransientError(f"the hub sent only a part of {file.name}", "try again")
            yield from _behind(response, start)


@contextlib.contextmanager
def _answer(location: Location, start: int) -> Iterator[Response]:
    """The answer to a request for what is at ``location`` from byte ``start`` on; 416 where a server has none there."""
    import httpx2
    from huggingface_hub import get_session, hf_raise_for_status

    headers = location.headers | {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    limits = httpx2.Timeout(stall_s(), connect=_CONNECT_S)
    with get_session().stream("GET", location.url, headers=headers, timeout=limits, follow_redirects=True) as response:
        again = of_answer(response.status_code, response.headers.get("retry-after"))
        if again is not None:
            raise again
        if response.status_code in (401, 403) and not str(response.url).startswith(endpoint()):
            raise TransientError("the address of the file has expired", "try again later")
        if response.status_code != _NO_SUCH_RANGE or not start:
            hf_raise_for_status(response)
        yield response


def _behind(response: Response, skip: int) -> Iterator[bytes]:
    """The body without its first ``skip`` bytes, as it arrives: what a chunker holds back is lost with the connection.

    A proxy may have compressed it, although nobody asked for that.
    """
    identity = response.headers.get("content-encoding", "identity") == "identity"
    for chunk in response.iter_raw() if identity else response.iter_bytes():
        if skip >= len(chunk):
            skip -= len(chunk)
            continue
        yield chunk[skip:] if skip else chunk
        skip = 0


def _skip(response: Response, file: RemoteFile, start: int) -> int | None:
    """Bytes to drop before ``start``: none, or all of them where the whole file comes again; None: neither comes.

    Raises:
        NetworkError: the answer is not (that part of) the file.
    """
    headers = response.headers
    if headers.get("content-type", "").startswith("text/html"):
        raise NetworkError(
            f"{shown_endpoint()} sent a web page instead of {file.name}, perhaps a login page",
            "check the network and HF_ENDPOINT",
        )
    compressed = headers.get("content-encoding", "identity") != "identity"
    if response.status_code == 206:
        given = headers.get("content-range", "")
        fits = given.startswith(f"bytes {start}-") and given.rpartition("/")[2] in (str(file.size_bytes), "*")
        whole = not start and not given and headers.get("content-length") == str(file.size_bytes)
        return 0 if (fits or whole) and not compressed else None
    if response.status_code == _NO_SUCH_RANGE:
        return None
    length = headers.get("content-length")
    if length is None or compressed or length == str(file.size_bytes):
        return start
    if start:
        return None
    raise TransientError(f"the hub announces {length} bytes of {file.name}, which has {file.size_bytes}", "")


def xet_stream(_repo: RemoteRepo, file: RemoteFile, location: Location, start: int) -> Iterator[bytes]:
    """The bytes of ``file`` from ``start`` on, from Xet storage.

    The library runs in a separate process (:mod:`phicli.hub.download.xet_worker`): when it hangs, that can be ended.

    Raises:
        TransientError: it failed or stalled.
    """
    task = {
        "hash": location.xet_hash, "size_bytes": file.size_bytes, "start": start,
        "refresh_url": location.xet_refresh_url, "headers": location.headers,
    }  # fmt: skip
    pipe = subprocess.PIPE
    child = subprocess.Popen(
        [sys.executable, "-m", "phicli.hub.download.xet_worker"],
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        start_new_session=True,
    )
    assert child.stdin is not None  # noqa: S101 - all three are pipes
    assert child.stdout is not None  # noqa: S101
    assert child.stderr is not None  # noqa: S101
    _widen(child.stdout)
    try:
        with contextlib.suppress(OSError):  # one that died at once is noticed below
            child.stdin.write(json.dumps(task).encode() + b"\n")
            child.stdin.flush()
        yield from _until_end(child.stdout)
        if child.wait(stall_s()) != 0:
            reason = child.stderr.read().decode(errors="replace").strip().splitlines()
            raise TransientError(f"Xet storage failed: {reason[-1] if reason else 'no reason given'}")
    except subprocess.TimeoutExpired:
        raise TransientError("Xet storage does not answer in time", stalled=True) from None
    finally:
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout, child.stderr):
            with contextlib.suppress(OSError):
                stream.close()


def _widen(pipe: IO[bytes]) -> None:
    """Let the pipe hold a whole chunk where the system can: the two processes take turns less often."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _CHUNK_BYTES)


def _until_end(source: IO[bytes]) -> Iterator[bytes]:
    """What ``source`` gives until it ends; a thread reads, so that silence is noticed on every system.

    Raises:
        TransientError: nothing came for ``stall_s()``.
    """
    arrived: queue.Queue[bytes] = queue.Queue(maxsize=4)
    left = threading.Event()
    end = os.dup(source.fileno())  # the thread's own: whoever listens may close ``source`` while it reads

    def read() -> None:
        chunk = b"?"
        try:
            while chunk and not left.is_set():
                chunk = os.read(end, _CHUNK_BYTES)
                while not left.is_set():
                    with contextlib.suppress(queue.Full):
                        arrived.put(chunk, timeout=0.2)
                        break
        finally:
            os.close(end)

    threading.Thread(target=read, daemon=True).start()
    try:
        while chunk := arrived.get(timeout=stall_s()):
            yield chunk
    except queue.Empty:
        raise TransientError("Xet storage sends no data", stalled=True) from None
    finally:
        left.set()
