"""``python -m phicli`` is the same program as ``phi``.

Nothing is imported before the ``try``: an interruption while the program loads is an interruption, not a traceback.
"""

import sys


def entry() -> None:
    """Run the command line and leave with its exit code."""
    try:
        from signal import SIG_IGN, SIGINT, signal

        from phicli.app import main

        code = main(sys.argv[1:])
        signal(SIGINT, SIG_IGN)  # all is said; the interpreter would show where it was interrupted
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    entry()
