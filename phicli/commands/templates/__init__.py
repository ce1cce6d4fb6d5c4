"""The commands of ``phi templates``."""
