"""The commands of ``phi remotes``."""
