"""``phi`` up to the first line that depends on its arguments, once for many commands; a program of its own.

``python prepared_program.py FD`` loads what every start of ``phi`` loads. For each request that comes from the file
descriptor FD it makes a copy of itself, which goes on as ``python -m phicli``: with the arguments, the variables, the
folder and the streams of the request. It uses no library that ``phi`` would not have loaded by then.
"""

import gc
import marshal
import os
import runpy
import signal
import sys

_LENGTH = 8
_STREAMS = (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY)


def serve(requests: int) -> bool:
    """Return True in each copy that is to be a command, and False when there are no more requests."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait for the commands
    while length := taken(requests, _LENGTH):
        text = taken(requests, int(length))
        if os.fork() == 0:
            os.close(requests)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return become(*marshal.loads(text))  # noqa: S302 (from the tests)
    return False


def taken(requests: int, count: int) -> bytes:
    """So many bytes; fewer at the end."""
    text = b""
    while len(text) < count and (piece := os.read(requests, count - len(text))):
        text += piece
    return text


def become(
    streams: list[str], status: str, arguments: list[str], variables: dict[str, str], folder: str, mask: int
) -> bool:
    """Make the copy a command whose process id and exit code are written to ``status``; True in its process."""
    told = os.open(status, os.O_WRONLY)
    for number, (path, flags) in enumerate(zip(streams, _STREAMS, strict=True)):
        opened = os.open(path, flags)
        os.dup2(opened, number)
        os.close(opened)
    command = os.fork()
    if command:
        for number in range(len(streams)):
            os.close(number)
        os.write(told, b"%d\n" % command)
        os.write(told, b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(command, 0)[1]))
        os._exit(0)
    os.close(told)
    os.umask(mask)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv[1:], sys.path[0] = arguments, folder
    return True


if __name__ == "__main__":
    sys.path[0] = os.getcwd()  # noqa: PTH109 (as with -m; without pathlib, which is loaded later)
    import phicli.app  # noqa: F401

    gc.freeze()  # a copy that looks through these objects would have to copy them

    if serve(int(sys.argv[1])):
        runpy.run_module("phicli", run_name="__main__", alter_sys=True)
