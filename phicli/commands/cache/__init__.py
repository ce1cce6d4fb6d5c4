"""``phi cache``: one file a command."""
