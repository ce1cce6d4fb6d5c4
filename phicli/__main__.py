"""``python -m phicli`` is the same program as ``phi``.

Nothing is imported before the ``try``: an interruption while the program loads is an interruption, not a traceback.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_OBJECTS_PER_COLLECTION = 50_000
"""With Python's 700 the collections while the program loads take a tenth of that time, and find nothing."""
_LEAVES_S = 0.01
"""Seconds in which the main thread leaves the place that ignores an interruption."""


def entry() -> None:
    """Run the command line and leave with its exit code."""
    code = None
    try:
        import gc
        from signal import SIG_IGN, SIGINT, signal

        sys.unraisablehook = _not_lost
        gc.set_threshold(_OBJECTS_PER_COLLECTION)

        from phicli.app import main

        code = main(sys.argv[1:])
        signal(SIGINT, SIG_IGN)  # all is said; the interpreter would show where it was interrupted
    except KeyboardInterrupt:
        code = _interrupted() if code is None else code
    sys.exit(code)


def _not_lost(ignored: "UnraisableHookArgs") -> None:
    """Interrupt again where Python could only have shown the interruption and gone on (each import has such places).

    Not from here: this function's caller would ignore that one too.
    """
    if ignored.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(ignored)
        return
    from _thread import get_ident, start_new_thread

    start_new_thread(_interrupt_again, (get_ident(),))


def _interrupt_again(thread: int) -> None:
    """Interrupt that thread, the main one, when it has left the place that ignores it; also where it waits."""
    import signal
    from _thread import interrupt_main
    from time import sleep

    sleep(_LEAVES_S)
    if sys.platform == "win32":
        interrupt_main()
    else:
        signal.pthread_kill(thread, signal.SIGINT)


def _interrupted() -> int:
    """The exit code after an interruption while the program loads, which ``--json`` reports like any other."""
    from signal import SIG_IGN, SIGINT, signal

    signal(SIGINT, SIG_IGN)
    if "--json" not in sys.argv:
        return 130
    from phicli.app import interrupted

    return interrupted(sys.argv[1:])


if __name__ == "__main__":
    entry()
