"""The commands of ``phi sessions``."""
