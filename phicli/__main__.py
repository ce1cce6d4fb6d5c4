"""``python -m phicli`` is the same program as ``phi``.

Nothing is imported before the ``try``: an interruption while the program loads is an interruption, not a traceback.
"""

import sys

_OBJECTS_PER_COLLECTION = 50_000
"""With Python's 700 the collections while the program loads take a tenth of that time, and find nothing."""


def entry() -> None:
    """Run the command line and leave with its exit code."""
    code = None
    try:
        import gc
        from signal import SIG_IGN, SIGINT, signal

        gc.set_threshold(_OBJECTS_PER_COLLECTION)

        from phicli.app import main

        code = main(sys.argv[1:])
        signal(SIGINT, SIG_IGN)  # all is said; the interpreter would show where it was interrupted
    except KeyboardInterrupt:
        code = _interrupted() if code is None else code
    sys.exit(code)


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
