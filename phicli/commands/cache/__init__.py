"""``phi cache``: one file per command."""
