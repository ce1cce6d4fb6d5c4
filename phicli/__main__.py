"""``python -m phicli`` is the same program as ``phi``."""

from phicli.app import entry

if __name__ == "__main__":
    entry()
