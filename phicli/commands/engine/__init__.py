"""The commands of ``phi engine``."""
