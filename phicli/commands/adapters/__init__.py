"""The commands of ``phi adapters``."""
